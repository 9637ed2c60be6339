#ifndef ACCOUNT_HTTPD_REQUEST_H
#define ACCOUNT_HTTPD_REQUEST_H

#include "httpd/config.h"

/* As whom a request was authenticated. */
typedef struct account_identity_t {
    const account_t *account;
    const account_session_t *session; /* NULL: by the password, which came with the request */
    const char *user; /* what r->user was set to: a request that has another one is somebody else's;
                       * NULL: the request has a session, but nobody wanted it authenticated */
} account_identity_t;

/* What mod_account keeps of a request: one for each request_rec that it meets. */
typedef struct account_request_t {
    int is_read;       /* httpd has read it whole, and secrecy.c has seen it */
    const char *query; /* as the client sent it, where it was taken out of r->args */
    const char *own;   /* the session cookie of the route that the address seems to have, or NULL */
    int has_policy;    /* policy.c has set its headers, those for programs */
    /* what was looked for, and what was found: several hooks ask */
    const char *tried_path;
    const char *tried_method;
    int is_found;
    account_match_t found;
    int matched; /* match is one of the server's mounts */
    account_match_t match;
    /* of a mount in a directory */
    int in_directory;
    char *filename; /* as it was before the directory's rewriting, */
    char *args;     /* and so was this */
    account_mount_t mount;
    const account_identity_t *identity; /* NULL: this request_rec was not authenticated by us */
    int is_unknown; /* somebody asked who sends this, and the machine failed: no answer, but 503 */
    int is_stale;   /* a Require wanted a more recent password */
    int is_being_answered;         /* the handlers have begun */
    struct account_basic_t *basic; /* basic.c */
    const char *const *told;       /* account_claims_told, of that identity */
    const account_identity_t *told_of;
    /* of the request as the client sent it (account_request_original) */
    account_store_t store;
    account_closing_t closing; /* of store */
    account_caller_t caller;   /* its cookies may have been taken out of r->headers_in */
} account_request_t;

/* That of this request; made, empty, where there is none yet. */
account_request_t *account_request_of(request_rec *r);

/* That of the request as the client sent it. */
account_request_t *account_request_sent(request_rec *r);

/* The request as the client sent it, of which r is a part (sub-request) or a sequel (internal
 * redirect). */
request_rec *account_request_original(request_rec *r);

/* What the core works on for this request, with a new deadline: 2.5 s from now. database is NULL
 * where this child has none. Lives as long as the original request. */
account_store_t *account_request_store(request_rec *r);

/* Names of cookies for this request: those of the realm (all, of account_server_t), and those of
 * what its directory mounts. */
const apr_array_header_t *account_request_cookie_names(request_rec *r,
                                                       const apr_array_header_t *all);

/*
 * Who sends the request, by its cookies: one look-up for all that belongs to one request. NULL:
 * nobody is logged in, or (account_request_is_unknown) the machine failed; then the request is not
 * answered, whatever was made of it: 503 (account_request_register_hooks). Lives as long as r.
 */
const account_identity_t *account_request_caller(request_rec *r);

/* As whom the request was authenticated, itself or what it is a part or sequel of; NULL: r->user is
 * not of our making. */
const account_identity_t *account_request_identity(request_rec *r);

/* Marks the request, and what it is a part of, as one whose sender can't be found out now.
 * HTTP_SERVICE_UNAVAILABLE. */
int account_request_fail(request_rec *r);

/* The reply, and that of what it is a part of, is made for somebody: a cache may not give it to
 * others. Before its headers are sent. */
void account_request_make_private(request_rec *r);

/* Refuses what is marked so: after access control, before any handler, and when something else than
 * a server's error is about to be sent. */
void account_request_register_hooks(apr_pool_t *pool);

#endif
