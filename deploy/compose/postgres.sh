#!/bin/sh
# Runs once, when the data folder is made: a role that row-level security holds for, and pgvector, which only a superuser
# may add.
set -e
psql -v ON_ERROR_STOP=1 -v password="$POSTGRES_PASSWORD" -U postgres -d "$POSTGRES_DB" <<'SQL'
CREATE ROLE sluice LOGIN PASSWORD :'password';
GRANT CREATE, CONNECT ON DATABASE sluice TO sluice;
CREATE EXTENSION vector;
SQL
