# The bucket, the queues and what Sluice's processes may do with them. Attach `policy_arn` to the role that they run under.
# terraform init && terraform apply -var name=my-sluice

terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "name" {
  type        = string
  default     = "sluice"
  description = "Begins the name of everything; the bucket's must be unique in the world."
}

variable "max_attempts" {
  type        = number
  default     = 5
  description = "As SLUICE_MAX_ATTEMPTS."
}

variable "cors_origins" {
  type        = list(string)
  default     = []
  description = "Origins of pages whose visitors upload straight into the bucket."
}

data "aws_region" "here" {}

# -- files

resource "aws_s3_bucket" "files" {
  bucket = "${var.name}-files"
}

resource "aws_s3_bucket_public_access_block" "files" {
  bucket                  = aws_s3_bucket.files.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "files" {
  bucket = aws_s3_bucket.files.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# Objects are never overwritten: old versions are deleted ones, kept for a while against mistakes.
resource "aws_s3_bucket_versioning" "files" {
  bucket = aws_s3_bucket.files.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "files" {
  bucket = aws_s3_bucket.files.id
  rule {
    id     = "tidy"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
    noncurrent_version_expiration {
      noncurrent_days = 30
    }
  }
  depends_on = [aws_s3_bucket_versioning.files]
}

resource "aws_s3_bucket_cors_configuration" "files" {
  count  = length(var.cors_origins) > 0 ? 1 : 0
  bucket = aws_s3_bucket.files.id
  cors_rule {
    allowed_methods = ["PUT"]
    allowed_origins = var.cors_origins
    allowed_headers = ["*"]
    max_age_seconds = 3600
  }
}

# -- jobs

resource "aws_sqs_queue" "jobs_dead" {
  name                      = "${var.name}-jobs-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue" "jobs" {
  name                       = "${var.name}-jobs"
  message_retention_seconds  = 1036800
  visibility_timeout_seconds = 30
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.jobs_dead.arn
    maxReceiveCount     = var.max_attempts + 10
  })
}

# -- events, for those who subscribe with queues of their own

resource "aws_sns_topic" "events" {
  name                        = "${var.name}-events.fifo"
  fifo_topic                  = true
  content_based_deduplication = false
}

# -- what Sluice may do

data "aws_iam_policy_document" "sluice" {
  statement {
    sid       = "Objects"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["${aws_s3_bucket.files.arn}/*"]
  }
  statement {
    sid = "Bucket"
    actions = [
      "s3:ListBucket",
      "s3:ListBucketMultipartUploads",
      "s3:GetBucketPublicAccessBlock",
      "s3:GetEncryptionConfiguration",
    ]
    resources = [aws_s3_bucket.files.arn]
  }
  statement {
    sid = "Jobs"
    actions = [
      "sqs:SendMessage",
      "sqs:ReceiveMessage",
      "sqs:DeleteMessage",
      "sqs:ChangeMessageVisibility",
      "sqs:GetQueueAttributes",
    ]
    resources = [aws_sqs_queue.jobs.arn]
  }
  statement {
    sid       = "DeadLetters"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    resources = [aws_sqs_queue.jobs_dead.arn]
  }
  statement {
    sid       = "Events"
    actions   = ["sns:Publish", "sns:GetTopicAttributes"]
    resources = [aws_sns_topic.events.arn]
  }
}

resource "aws_iam_policy" "sluice" {
  name   = var.name
  policy = data.aws_iam_policy_document.sluice.json
}

# -- as Sluice's settings

output "settings" {
  value = {
    SLUICE_AWS_REGION                = data.aws_region.here.name
    SLUICE_S3_BUCKET                 = aws_s3_bucket.files.bucket
    SLUICE_SQS_QUEUE_URL             = aws_sqs_queue.jobs.url
    SLUICE_SQS_DEAD_LETTER_QUEUE_URL = aws_sqs_queue.jobs_dead.url
    SLUICE_SNS_TOPIC_ARN             = aws_sns_topic.events.arn
  }
}

output "policy_arn" {
  value = aws_iam_policy.sluice.arn
}
