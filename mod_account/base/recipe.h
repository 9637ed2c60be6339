#ifndef ACCOUNT_BASE_RECIPE_H
#define ACCOUNT_BASE_RECIPE_H

#include "base/transport.h"

/*
 * How a gateway is asked, and which answer means yes: a request template, JSON.
 *
 *   {"method": "POST",                       GET without a body, else POST; or PUT, PATCH
 *    "headers": {"Authorization": "APPCODE x"},
 *    "query": {"mobile": "%{to}"},
 *    "form": {…} | "json": any JSON | "body": "text",
 *    "success": {"status": [200], "json": {"code": 0, "data.ok": true}, "contains": "OK"}}
 *
 * Strings may hold %{to} %{code} %{text} %{subject} %{link} %{key} %{template} %{channel}; one that
 * a message has not is empty. %{to} and either %{text} or both %{code} and %{link} must be in it.
 * Without "success" any status from 200 to 299 means yes; all that stands in it must hold. A path
 * of "json" leads through objects by name and arrays by number.
 */
typedef struct account_recipe_t account_recipe_t;

/* Compiles the text of a file, whose name is for errors. NULL, or a text for the administrator: no
 * JSON (with line and column), an unknown member or slot, a wrong type (with the member's path). */
const char *account_recipe_parse(account_recipe_t **recipe, const char *text, const char *file,
                                 apr_pool_t *pool);

/* A request for one parcel. */
typedef struct account_order_t {
    const char *method;
    const char *query;                 /* urlencoded; NULL: none */
    const apr_array_header_t *headers; /* of const char *, "Name: value" */
    const char *body;                  /* NULL: none */
} account_order_t;

/* 0: the parcel has a text that is not UTF-8. */
int account_recipe_fill(const account_recipe_t *recipe, const account_parcel_t *parcel,
                        account_order_t *order, apr_pool_t *pool);

/* NULL: the answer means yes; else what it lacks. status: of HTTP; reply: the body. Nothing of the
 * reply is in the text. */
const char *account_recipe_judge(const account_recipe_t *recipe, int status, const char *reply,
                                 apr_pool_t *pool);

#endif
