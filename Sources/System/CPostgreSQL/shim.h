// Why this exists: libpq ships no module map.
#ifndef TILLBRIDGE_CPOSTGRESQL_SHIM_H
#define TILLBRIDGE_CPOSTGRESQL_SHIM_H

#include <libpq-fe.h>

#endif
