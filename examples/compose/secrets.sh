#!/bin/sh
# Makes what compose.yaml has under secrets, once: sealing keys, the database's certificate and the
# passwords of its roles. What is there already stays, and gets its owner and mode again. As root, because each file belongs to the user
# of the one container that reads it:
#
#     sudo ./secrets.sh
#
# Salesforce's consumer secret (secrets/salesforce) and the certificate of the balancer (secrets/mcp.crt,
# secrets/mcp.key) are yours to put there first. PROGRAM is the program, if it is not in the PATH.
set -eu
umask 077
cd "$(dirname "$0")"
proxy=${PROXY_USER:-65532} postgres=${POSTGRES_USER:-70} nginx=${NGINX_USER:-101}
database=${DATABASE_HOST:-database} # the name in its certificate

mkdir -p secrets
chmod 755 secrets # whoever is named below gets in, and reads their own files
cd secrets
trap 'rm -f ca.key database.csr ca.srl san' EXIT # whatever fails
for missing in salesforce mcp.crt mcp.key; do
  [ -e "$missing" ] || { echo "secrets/$missing is not there" >&2; exit 1; }
done

for role in postgres proxy proxy-owner; do
  [ -s "$role-password" ] || openssl rand -hex 24 > "$role-password"
done
rm -f pgpass pgpass-owner pgpass-postgres # those of an earlier run may be read alone
echo "*:*:*:postgres:$(cat postgres-password)" > pgpass-postgres
echo "*:*:*:proxy_owner:$(cat proxy-owner-password)" > pgpass-owner
echo "*:*:*:proxy:$(cat proxy-password)" > pgpass

# An authority that signs this one certificate; its key is not kept.
[ -s database.crt ] || {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=authority of the database" -keyout ca.key -out database-ca 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$database" -keyout database.key -out database.csr 2>/dev/null
  printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$database" > san
  openssl x509 -req -in database.csr -CA database-ca -CAkey ca.key -CAcreateserial -CAserial ca.srl -days 3650 -extfile san -out database.crt 2>/dev/null
}

[ -e sealing-keys ] || SFMCP_KEYS_FILE=$PWD/sealing-keys "${PROGRAM:-sfmcp-proxy}" key generate --config ../sfmcp-proxy.yaml
rm -f ca.key database.csr ca.srl san # before the modes of what stays

chmod 400 -- *
chmod 444 database-ca # a certificate that two containers read
chown "$proxy" sealing-keys salesforce pgpass pgpass-owner
chown "$postgres" database.crt database.key postgres-password proxy-password proxy-owner-password pgpass-postgres
chown "$nginx" mcp.crt mcp.key
