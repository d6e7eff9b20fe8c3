/* pgsql_result.c: reading what libpq received. */
#include "net/pgsql_conn.h"

#include <stdlib.h>

unsigned pgsql_rows(const struct pgsql_result *result)
{
    return (unsigned)PQntuples(result->native);
}

unsigned pgsql_columns(const struct pgsql_result *result)
{
    return (unsigned)PQnfields(result->native);
}

const char *pgsql_column_name(const struct pgsql_result *result, unsigned column)
{
    return PQfname(result->native, (int)column);
}

uint32_t pgsql_column_type(const struct pgsql_result *result, unsigned column)
{
    return PQftype(result->native, (int)column);
}

struct slice pgsql_value(const struct pgsql_result *result, unsigned row, unsigned column)
{
    int r = (int)row, c = (int)column;
    if (PQgetisnull(result->native, r, c))
        return (struct slice){0};
    return slice_of(PQgetvalue(result->native, r, c), (size_t)PQgetlength(result->native, r, c));
}

/* libpq's accessor wants a non-const result although it only reads. */
static PGresult *unconst(const struct pgsql_result *result)
{
    union {
        const PGresult *from;
        PGresult *to;
    } pointer = {.from = result->native};
    return pointer.to;
}

int64_t pgsql_affected(const struct pgsql_result *result)
{
    return strtoll(PQcmdTuples(unconst(result)), NULL, 10);
}

struct slice pgsql_command(const struct pgsql_result *result)
{
    return slice_cstr(PQcmdStatus(unconst(result)));
}

const char *pgsql_constraint(const struct failure *why)
{
    return ((const struct pgsql_failure *)why)->constraint;
}
