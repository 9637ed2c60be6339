#ifndef ACCOUNT_UNIT_SEVENTH_H
#define ACCOUNT_UNIT_SEVENTH_H

#include "site.h"

/* A contract with every action that sends, takes codes or opens mailed addresses, at /s. */
extern const char seventh_text[];

/* A server with it, equipped (site_equip); limits off but those that its caller turns on. */
server_t *seventh_make(apr_pool_t *parent);

/* Every limit off. */
void limits_off(server_t *server);

/* "a=1&b=" and a value: for forms. */
const char *with(server_t *server, const char *form, const char *value);

/* Asks for a code, checks that it came, and gives it. purpose: "register", "reset", ... */
const char *code_for(server_t *server, const char *purpose, const char *target,
                     const char *session);

/* Another code than this one. */
const char *wrong(server_t *server, const char *code);

/* The cookie of the session that the last request began, at /s. */
const char *session_of(server_t *server);

/* Registers with a code, so that the number or address is proven; the cookie of its session. */
const char *prove(server_t *server, const char *target, const char *password);

/* Asks once; the outcome. */
const char *outcome(server_t *server, const char *request, const char *form, const char *cookies);

#endif
