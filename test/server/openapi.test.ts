import { describe, expect, test } from "vitest";
import { z } from "zod";
import { startServer } from "./harness.ts";

interface Operation {
  summary?: string;
  security?: unknown[];
  parameters?: { name: string; in: string; required?: boolean; schema: object }[];
  requestBody?: { content: Record<string, { schema: { properties?: Record<string, unknown> } }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
}

interface Description {
  openapi: string;
  info: { title: string; version: string };
  components: { schemas: Record<string, object>; securitySchemes: Record<string, object> };
  security: object[];
  paths: Record<string, Record<string, Operation>>;
}

const expected = {
  "/asyncapi.json": ["get"],
  "/docs/errors": ["get"],
  "/healthz": ["get"],
  "/metrics": ["get"],
  "/openapi.json": ["get"],
  "/readyz": ["get"],
  "/v1/collections": ["get"],
  "/v1/collections/{collection}": ["delete", "get", "put"],
  "/v1/direct-uploads": ["post"],
  "/v1/direct-uploads/{upload_id}/confirm": ["post"],
  "/v1/documents": ["get", "post"],
  "/v1/documents/{document_id}": ["delete", "get"],
  "/v1/documents/{document_id}/chunks": ["get"],
  "/v1/documents/{document_id}/events": ["get"],
  "/v1/documents/{document_id}/file": ["get", "head"],
  "/v1/documents/{document_id}/reingest": ["post"],
  "/v1/documents/{document_id}/text": ["get", "head"],
  "/v1/documents/{document_id}/versions": ["get"],
  "/v1/events": ["get"],
  "/v1/events/stream": ["get"],
  "/v1/jobs": ["get"],
  "/v1/jobs/retry": ["post"],
  "/v1/jobs/{job_id}": ["get"],
  "/v1/jobs/{job_id}/cancel": ["post"],
  "/v1/jobs/{job_id}/retry": ["post"],
  "/v1/reindex": ["delete", "get", "post"],
  "/v1/search": ["post"],
  "/v1/webhooks": ["get", "post"],
  "/v1/webhooks/{webhook_id}": ["delete", "get", "patch"],
  "/v1/webhooks/{webhook_id}/deliveries": ["get"],
  "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}": ["get"],
  "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay": ["post"],
  "/v1/webhooks/{webhook_id}/replay": ["post"],
  "/v1/webhooks/{webhook_id}/rotate_secret": ["post"],
  "/v1/webhooks/{webhook_id}/test": ["post"],
};

describe("/openapi.json", () => {
  test("describes every route, and nothing else", async () => {
    const server = await startServer();
    const { paths } = (await server.request("/openapi.json")).json<Description>();
    const described = Object.entries(paths).map(([path, operations]) => [
      path,
      Object.keys(operations).sort(),
    ]);
    expect(Object.fromEntries(described)).toEqual(expected);
    for (const [path, methods] of Object.entries(expected)) {
      for (const method of methods) {
        const url = path.replace(/\{(\w+)\}/g, ":$1");
        expect(server.app.hasRoute({ method: method.toUpperCase() as "GET", url })).toBe(true);
      }
    }
  });

  test("is whole: parameters are declared, references lead somewhere, schemas are JSON Schema", async () => {
    const server = await startServer();
    const description = (await server.request("/openapi.json")).json<Description>();
    expect(description.openapi).toBe("3.1.0");
    expect(description.info.title).toBe("Sluice");
    expect(description.components.securitySchemes.bearer).toMatchObject({ type: "http", scheme: "bearer" });
    expect(description.security).toEqual([{ bearer: [] }, {}]);
    const { schemas } = description.components;
    const text = JSON.stringify(description);
    const references = [...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, id]) => id as string);
    expect(new Set(references)).toEqual(new Set(Object.keys(schemas)));
    expect(Object.keys(schemas)).toEqual(
      expect.arrayContaining(["Problem", "Document", "Job", "Chunk", "Event", "Accepted", "Version"]),
    );
    const $defs = JSON.parse(JSON.stringify(schemas).replaceAll("#/components/schemas/", "#/$defs/"));
    for (const schema of Object.values($defs)) {
      z.fromJSONSchema({ ...(schema as object), $defs } as Parameters<typeof z.fromJSONSchema>[0]);
    }
    for (const [path, operations] of Object.entries(description.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const what = `${method} ${path}`;
        expect(operation.summary, what).toBeTruthy();
        const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
        expect(
          declared.map(({ name }) => name),
          what,
        ).toEqual(inPath);
        expect(
          declared.every(({ required }) => required),
          what,
        ).toBe(true);
        for (const [status, { description: told }] of Object.entries(operation.responses)) {
          expect(told, `${what} ${status}`).not.toBe("");
        }
        if (path.startsWith("/v1/")) {
          expect(operation.responses["401"]?.content, what).toHaveProperty(["application/problem+json"]);
        }
      }
    }
  });

  test("tells both forms of an upload, with the same fields as parameters and as parts", async () => {
    const server = await startServer();
    const { paths } = (await server.request("/openapi.json")).json<Description>();
    const post = paths["/v1/documents"]?.post;
    const { content } = post?.requestBody ?? { content: {} };
    const fields = ["collection", "metadata", "document_id", "on_duplicate", "priority"];
    expect(Object.keys(content["multipart/form-data"]?.schema.properties ?? {})).toEqual(["file", ...fields]);
    expect(content).toHaveProperty(["*/*"]);
    const inQuery = post?.parameters?.filter((parameter) => parameter.in === "query").map(({ name }) => name);
    expect(inQuery).toEqual([...fields, "filename"]);
    expect(post?.parameters?.map(({ name }) => name)).toContain("idempotency-key");
  });
});
