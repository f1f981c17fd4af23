/** The S3 blob store over an emulator (fauxqs). test:services has the same contract over a real server. */
import { afterAll, beforeAll } from "vitest";
import { describeBlobStore } from "../../../contracts/index.ts";
import { createS3BlobStore } from "../../../src/adapters/aws/s3-blob-store.ts";
import { type AwsServer, startAws } from "../../services/aws.ts";

let aws: AwsServer;
let opened = 0;
beforeAll(async () => {
  aws = await startAws();
});
afterAll(() => aws.stop());

describeBlobStore(
  "S3 (emulated)",
  async () => {
    opened += 1;
    const options = {
      ...aws.connection,
      bucket: aws.bucket,
      prefix: `${opened}/`,
      force_path_style: true,
    };
    const store = createS3BlobStore(options);
    return { store, reopen: async () => createS3BlobStore(options), close: () => store.close() };
  },
  { local_path: "objects lie in a bucket" },
);
