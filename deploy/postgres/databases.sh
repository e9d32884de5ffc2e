#!/bin/sh
# Makes a database and a role of its own for each of haetae, mlflow and prefect; none can read another's. What is there
# already stays, and has its password set anew. Postgres' image runs it once, when its volume is empty. Elsewhere:
#   PGHOST=… PGUSER=… PGPASSWORD=… sh databases.sh    # a superuser, or who may CREATEDB and CREATEROLE
# Keys are compared by their bytes, so that no update of the system's collations makes an index wrong. For a server that
# does not know the locale C.UTF-8: DATABASES_CTYPE=C.
set -eu
: "${HAETAE_DB_PASSWORD:?}" "${MLFLOW_DB_PASSWORD:?}" "${PREFECT_DB_PASSWORD:?}"
psql -v ON_ERROR_STOP=1 -v ctype="${DATABASES_CTYPE:-C.UTF-8}" --quiet --no-psqlrc \
  --username "${PGUSER:-${POSTGRES_USER:-postgres}}" --dbname postgres <<'SQL'
SET client_min_messages = warning;
CREATE TEMPORARY TABLE wanted (name) AS VALUES ('haetae'), ('mlflow'), ('prefect');
SELECT format('CREATE ROLE %I LOGIN', name) FROM wanted
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
\getenv haetae HAETAE_DB_PASSWORD
\getenv mlflow MLFLOW_DB_PASSWORD
\getenv prefect PREFECT_DB_PASSWORD
ALTER ROLE haetae PASSWORD :'haetae';
ALTER ROLE mlflow PASSWORD :'mlflow';
ALTER ROLE prefect PASSWORD :'prefect';
-- Who is no superuser may give a database only to a role of his own.
SELECT format('GRANT %I TO CURRENT_USER', name) FROM wanted
WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) \gexec
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING ''UTF8'' LC_COLLATE ''C'' LC_CTYPE %L',
              name, name, :'ctype') FROM wanted
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec
REVOKE CONNECT ON DATABASE haetae, mlflow, prefect FROM PUBLIC;
SQL
