/** One thing that a service must be or allow, as `sluice doctor` tells it. */
export interface ServiceCheck {
  /** The service: postgres, s3, sqs, … */
  name: string;
  ok: boolean;
  message: string;
  /** What to do. With `ok`: what would be better. */
  fix?: string;
}
