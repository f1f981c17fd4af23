/** /openapi.json, made from the schemas that validate requests and shape answers. */
import swagger from "@fastify/swagger";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";
import { z } from "zod";
import type { App } from "./dependencies.ts";
import { uploadFieldsSchema } from "./schemas.ts";

type Json = Record<string, unknown>;

export async function registerOpenApi(app: App, version: string): Promise<void> {
  await app.register(swagger, {
    convertConstToEnum: false,
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Sluice",
        version,
        license: { name: "Apache-2.0", identifier: "Apache-2.0" } as { name: string },
        description:
          "Documents in, an answer in milliseconds, searchable a moment later. Errors are problem details (RFC 9457) " +
          "with a `code` and `retryable`. Ids of another tenant answer 404.",
      },
      tags: [
        { name: "documents", description: "Upload, look at, ingest again, delete." },
        { name: "collections", description: "Named sets of documents, and how theirs are cut into chunks." },
        { name: "jobs", description: "Queued commands; dead letters." },
        { name: "search", description: "Find passages and cite them." },
        { name: "events", description: "What happened, and what happens." },
        { name: "keys", description: "Who may act for the tenant." },
        {
          name: "operations",
          description: "What goes on, for people and for machines that watch the process.",
        },
      ],
      components: {
        securitySchemes: {
          bearer: {
            type: "http",
            scheme: "bearer",
            description:
              "An API key, made by `sluice keys create` or `POST /v1/keys`. It acts for its tenant; an operator's also " +
              "for the one that the header `Sluice-Tenant` names. A server without keys needs none and serves loopback only.",
          },
        },
      },
      security: [{ bearer: [] }, {}],
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => {
      const described = jsonSchemaTransformObject(document) as unknown as Json;
      describeUploadBody(described);
      dropUnused(described);
      return described as ReturnType<typeof jsonSchemaTransformObject>;
    },
  });
}

/** The upload's body is read by hand, so no schema of the route describes it. */
function describeUploadBody(described: Json): void {
  const fields = z.toJSONSchema(uploadFieldsSchema, { io: "input" });
  const binary = { type: "string", contentMediaType: "application/octet-stream" };
  const paths = described.paths as Record<string, Record<string, Json>>;
  const post = paths["/v1/documents"]?.post as Json;
  post.requestBody = {
    required: true,
    content: {
      "multipart/form-data": {
        schema: {
          type: "object",
          required: ["file"],
          properties: {
            file: { type: "array", items: binary, description: "one part, of any name, for each file" },
            ...fields.properties,
          },
        },
      },
      "*/*": { schema: { ...binary, description: "one file" } },
    },
  };
}

/** Every named schema comes in two forms, for requests and for answers; most have use for one. */
function dropUnused(described: Json): void {
  const { schemas } = described.components as { schemas: Json };
  for (;;) {
    const text = JSON.stringify(described);
    const unused = Object.keys(schemas).filter((id) => !text.includes(`"#/components/schemas/${id}"`));
    if (unused.length === 0) return;
    for (const id of unused) delete schemas[id];
  }
}
