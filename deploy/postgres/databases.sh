#!/bin/sh
# Makes a database and a role of its own for each of haetae, mlflow and prefect; none can read another's.
# Postgres' image runs it once, when its volume is empty. Elsewhere: PGHOST=… PGUSER=postgres sh databases.sh
set -eu
: "${HAETAE_DB_PASSWORD:?}" "${MLFLOW_DB_PASSWORD:?}" "${PREFECT_DB_PASSWORD:?}"
psql -v ON_ERROR_STOP=1 --quiet --no-psqlrc --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\getenv haetae HAETAE_DB_PASSWORD
\getenv mlflow MLFLOW_DB_PASSWORD
\getenv prefect PREFECT_DB_PASSWORD
CREATE ROLE haetae LOGIN PASSWORD :'haetae';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow';
CREATE ROLE prefect LOGIN PASSWORD :'prefect';
CREATE DATABASE haetae OWNER haetae;
CREATE DATABASE mlflow OWNER mlflow;
CREATE DATABASE prefect OWNER prefect;
REVOKE CONNECT ON DATABASE haetae, mlflow, prefect FROM PUBLIC;
SQL
