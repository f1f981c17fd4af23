# syntax=docker/dockerfile:1
# One image for every process: `api`, `worker`, or both (`start`). For builds that can be repeated, pin the base by digest:
# node:24-bookworm-slim@sha256:…

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY scripts/prepare.mjs scripts/
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build
# What only building and testing need goes; the clients of PostgreSQL, AWS and Kafka come in.
RUN node deploy/docker-dependencies.mjs && npm install --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
ENV NODE_ENV=production \
    SLUICE_HOST=0.0.0.0 \
    SLUICE_DATA_DIR=/data
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/web/dist web/dist
COPY --from=build /app/models/sluice-static-v1-256 models/sluice-static-v1-256
RUN ln -s /app/dist/src/cli/main.js /usr/local/bin/sluice && chmod +x dist/src/cli/main.js \
  && install -d -o node -g node /data
USER node
VOLUME /data
EXPOSE 7300
# A worker listens on nothing: its liveness is that it runs, and that it beats is seen in /v1/workers.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.SLUICE_PORT ?? 7300}/readyz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Signals reach it: SIGTERM stops it in order, within SLUICE_SHUTDOWN_SECONDS.
ENTRYPOINT ["node", "dist/src/cli/main.js"]
CMD ["start"]
