-- The passwords of the roles of roles.sql, from the secrets; in psql alone.
\set proxy `cat /run/secrets/proxy-password`
\set owner `cat /run/secrets/proxy-owner-password`
ALTER ROLE proxy PASSWORD :'proxy';
ALTER ROLE proxy_owner PASSWORD :'owner';
