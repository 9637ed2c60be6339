/* contract/judge: what becomes of each parameter. */

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "contract/judge.h"
#include "fixture.h"
#include "tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ROUTE(routes, i) APR_ARRAY_IDX(routes, i, account_route_t *)
#define PARAMETER(parameters, i) APR_ARRAY_IDX(parameters, i, account_parameter_t *)
#define HAN "\xE5\xBC\xA0\xE4\xB8\x89"

/* A route of one line, the input of a type. line: AccountParam's arguments; with kept the values as
 * JSON. */
typedef struct judge_row_t {
    const char *action;
    const char *line;   /* AccountParam's */
    const char *sent;   /* a form */
    const char *wanted; /* the value, or "!rule" */
} judge_row_t;

/* What an action needs besides. */
static const struct {
    const char *action;
    const char *lines;
} needs[] = {
    {"login", "AccountParam password pw\nAccountParam account ac\n"},
    {"register", "AccountParam password pw\nAccountParam account ac\n"},
    {"check_identifier", "AccountParam value vv\nAccountParam kind kk\n"},
    {"update_profile", ""},
    {"logout", ""},
    {"points", ""},
    {"send_code", "AccountSet purpose any\nAccountParam target tt\n"},
};

/* Leaves out the needs that the line itself supplies. */
static const char *needs_of(const judge_row_t *row, apr_pool_t *pool)
{
    const char *input = apr_pstrmemdup(pool, row->line, strcspn(row->line, " "));
    const char *left = "";
    apr_size_t i;

    for (i = 0; i < COUNT(needs); i++) {
        char *state, *copy = apr_pstrdup(pool, needs[i].lines);
        char *line =
            strcmp(needs[i].action, row->action) == 0 ? apr_strtok(copy, "\n", &state) : NULL;

        for (; line; line = apr_strtok(NULL, "\n", &state)) {
            if (!strstr(line, apr_pstrcat(pool, "Param ", input, " ", NULL))) {
                left = apr_pstrcat(pool, left, line, "\n", NULL);
            }
        }
    }
    return left;
}

static const account_route_t *judge_route(const judge_row_t *row, apr_pool_t *pool)
{
    const char *text = apr_pstrcat(
        pool,
        "<AccountContract c>\n"
        "AccountMap kind user_name=u email=e \"mobile=m x\" *=0\n"
        "AccountMap json on=true off=0 text=\"yes\"\n"
        "AccountReply * 400 '[\"%{outcome}\"]'\n",
        strcmp(row->action, "check_identifier") == 0
            ? "AccountReply free 200 '1'\nAccountReply taken 200 '1'\n"
        : strcmp(row->action, "points") == 0 ? ""
                                             : "AccountReply ok 200 '1'\n",
        "<AccountRoute r POST /r>\nAccountAction ", row->action, "\n",
        strcmp(row->action, "points") == 0 ? "AccountReply ok 200 '1'\n" : "", "AccountParam ",
        row->line, "\n", needs_of(row, pool),
        "</AccountRoute>\n"
        "<AccountRoute issues POST /issues>\nAccountAction send_code\nAccountSet purpose any\n"
        "AccountParam target t\nAccountReply ok 200 '1'\n</AccountRoute>\n</AccountContract>\n",
        NULL);
    const account_contract_t *contract = fixture_contract(text, pool);

    return contract ? account_contract_route(contract, "r") : NULL;
}

/* The value, "(absent)", or "!" and the outcome that the refusal renders. */
static const char *judge(const account_route_t *route, const char *form, apr_pool_t *pool)
{
    apr_array_header_t *pairs = apr_array_make(pool, 4, sizeof(account_pair_t));
    const account_parameter_t *parameter = PARAMETER(route->parameters, 0);
    account_call_t call = {.action = route->action};
    account_answer_t answer = {.outcome = ACCOUNT_INVALID};
    account_judged_t judged;
    account_buffer_t buffer;
    int i;

    if (!account_request_form(pairs, form, strlen(form))) {
        return "(malformed)";
    }
    account_judge(route, pairs, &judged, pool);
    if (judged.refusal) {
        account_buffer_init(&buffer, 64, pool);
        account_template_render(judged.refusal->body, &call, &answer, "", &buffer);
        return apr_psprintf(pool, "!%.*s", (int)buffer.length - 4, buffer.bytes + 2);
    }
    if (!parameter->is_profile) {
        return judged.values[parameter->position] ? judged.values[parameter->position] : "(absent)";
    }
    for (i = 0; i < judged.profile->nelts; i++) {
        const account_profile_field_t *field =
            &APR_ARRAY_IDX(judged.profile, i, account_profile_field_t);

        if (strcmp(field->name, parameter->input.name) == 0) {
            return *field->value ? field->value : "(cleared)";
        }
    }
    return "(absent)";
}

/* The other parameters of these actions, right. */
#define REST "pw=password1&ac=somebody&vv=x&kk=email&tt=a@b.cc&"

static void test_judge(apr_pool_t *parent)
{
    static const judge_row_t rows[] = {
        /* identifier */
        {"login", "account a", "a=alice", "alice"},
        {"login", "account a", "a=+Alice+B%E3%80%80", "Alice B"},
        {"login", "account a", "a=" HAN, HAN},
        {"login", "account a", "a=Alice%40Example.com", "Alice@Example.com"},
        {"login", "account a", "a=", "!invalid.account.required"},
        {"login", "account a", "b=alice", "!invalid.account.required"},
        {"login", "account a", "a=++", "!invalid.account.identifier"},
        {"login", "account a", "a=a%0Ab", "!invalid.account.identifier"},
        {"login", "account a", "a=%E2%80%8B", "!invalid.account.identifier"},
        {"login", "account a length=3-5", "a=ab", "!invalid.account.length"},
        {"login", "account a length=3-5", "a=abc", "abc"},
        {"login", "account a length=3-5", "a=abcde", "abcde"},
        {"login", "account a length=3-5", "a=abcdef", "!invalid.account.length"},
        {"login", "account a length=-2", "a=" HAN, HAN},
        {"login", "account a length=-2", "a=" HAN HAN, "!invalid.account.length"},
        {"login", "account a length=3-", "a=abcdef", "abcdef"},
        {"login", "account a match=^[a-z]+$", "a=abc", "abc"},
        {"login", "account a match=^[a-z]+$", "a=+abc+", "abc"},
        {"login", "account a match=^[a-z]+$", "a=abc1", "!invalid.account.match"},
        {"login", "account a match=^[a-z]+$", "a=ABC", "!invalid.account.match"},
        {"login", "account a match=^\\p{Han}{2}$", "a=" HAN, HAN},
        {"login", "account a match=^\\p{Han}{2}$", "a=ab", "!invalid.account.match"},
        {"login", "account a is=mobile", "a=%2B86+138-0013-8000", "!invalid.account.mobile"},
        {"login", "account a is=mobile", "a=%2B8613800138000", "13800138000"},
        {"login", "account a is=mobile", "a=alice", "!invalid.account.mobile"},
        {"login", "account a is=email", "a=alice", "!invalid.account.email"},
        {"login", "account a is=email", "a=a@b.cc", "a@b.cc"},
        {"login", "account a|base64", "a=YWxpY2U%3D", "alice"},
        {"login", "account a|base64", "a=YWxpY2U", "!invalid.account.base64"},
        {"login", "account a|base64", "a=alice", "!invalid.account.base64"},
        {"login", "account a|base64", "a=YQBi", "!invalid.account.base64"},
        {"login", "account a|base64", "a=", "!invalid.account.required"},
        {"login", "account a|base64 length=2-", "a=YQ%3D%3D", "!invalid.account.length"},
        /* secret */
        {"login", "password p", "p=x", "x"},
        {"login", "password p", "p=+x%0A%01+", " x\n\x01 "},
        {"login", "password p", "p=", "!invalid.password.required"},
        {"login", "password p length=-2", "p=xyz", "!invalid.password.length"},
        {"login", "code c", "", "(absent)"},
        {"login", "code c", "c=", "(absent)"},
        {"login", "code c required", "c=", "!invalid.code.required"},
        /* new-secret */
        {"register", "password p", "p=1234567", "!invalid.password.length"},
        {"register", "password p", "p=12345678", "12345678"},
        {"register", "password p", "p=" HAN HAN HAN HAN, HAN HAN HAN HAN},
        {"register", "password p", "p=+++++++1", "       1"},
        {"register", "password p length=6-255", "p=123456", "123456"},
        {"register", "password p length=6-255", "p=12345", "!invalid.password.length"},
        {"register", "password p again=q", "p=12345678&q=12345678", "12345678"},
        {"register", "password p again=q", "p=12345678&q=12345679", "!invalid.password.again"},
        {"register", "password p again=q", "p=12345678", "!invalid.password.again"},
        {"register", "password p again=q", "p=12345678&q=", "!invalid.password.again"},
        {"register", "password p again=q", "q=12345678", "!invalid.password.required"},
        {"register", "password p|base64 again=q", "p=MTIzNDU2Nzg%3D&q=MTIzNDU2Nzg%3D", "12345678"},
        {"register", "password p|base64 again=q", "p=MTIzNDU2Nzg%3D&q=12345678",
         "!invalid.password.again"},
        /* email, mobile */
        {"register", "email e", "e=+Alice%40Example.com+", "Alice@Example.com"},
        {"register", "email e", "e=alice", "!invalid.email.email"},
        {"register", "email e", "e=", "(absent)"},
        {"register", "email e required", "e=", "!invalid.email.required"},
        {"register", "email e", "e=13800138000", "!invalid.email.email"},
        {"register", "mobile m", "m=13800138000", "13800138000"},
        {"register", "mobile m", "m=%2B8613800138000", "13800138000"},
        {"register", "mobile m", "m=8613800138000", "13800138000"},
        {"register", "mobile m", "m=013800138000", "13800138000"},
        {"register", "mobile m", "m=%EF%BC%91%EF%BC%93800138000", "13800138000"},
        {"register", "mobile m", "m=12800138000", "!invalid.mobile.mobile"},
        {"register", "mobile m", "m=1380013800", "!invalid.mobile.mobile"},
        /* role */
        {"register", "role r", "r=vip_user-1", "vip_user-1"},
        {"register", "role r", "r=Admin", "!invalid.role.role"},
        {"register", "role r", "r=a+b", "!invalid.role.role"},
        {"register", "role r", "r=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234",
         "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234"},
        {"register", "role r",
         "r=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff12345",
         "!invalid.role.role"},
        {"register", "role r one-of=user,vip", "r=vip", "vip"},
        {"register", "role r one-of=user,vip", "r=admin", "!invalid.role.one-of"},
        {"register", "role r one-of=user,vip", "r=user,vip", "!invalid.role.role"},
        /* text, date */
        {"register", "nickname n", "n=+a+", " a "},
        {"register", "nickname n", "n=a%09b", "!invalid.nickname.text"},
        {"register", "nickname n", "n=a%C2%85b", "!invalid.nickname.text"},
        {"register", "nickname n", "n=", "(absent)"},
        {"register", "extra.x n", "n=y", "y"},
        {"register", "extra.x n is=resident-id", "n=11010519491231002X", "11010519491231002X"},
        {"register", "extra.x n is=resident-id", "n=110105194912310021",
         "!invalid.extra.x.resident-id"},
        {"register", "extra.x n is=date", "n=2024-02-29", "2024-02-29"},
        {"register", "extra.x n is=date", "n=2023-02-29", "!invalid.extra.x.date"},
        {"register", "birthdate b", "b=2000-01-31", "2000-01-31"},
        {"register", "birthdate b", "b=2000-1-31", "!invalid.birthdate.date"},
        {"register", "birthdate b", "b=2000-02-30", "!invalid.birthdate.date"},
        {"register", "birthdate b", "b=", "(absent)"},
        /* what clears */
        {"update_profile", "nickname n", "n=", "(cleared)"},
        {"update_profile", "nickname n", "n=x", "x"},
        {"update_profile", "nickname n", "", "(absent)"},
        {"update_profile", "nickname n length=0-9", "n=", "(cleared)"},
        {"update_profile", "nickname n length=-9", "n=", "(cleared)"},
        {"update_profile", "nickname n length=1-", "n=", "!invalid.nickname.length"},
        {"update_profile", "nickname n length=2-", "n=x", "!invalid.nickname.length"},
        {"update_profile", "birthdate n", "n=", "(cleared)"},
        {"update_profile", "answer n", "n=", "(cleared)"},
        {"update_profile", "email n", "n=", "(absent)"},
        {"update_profile", "gender n|kind", "n=u", "user_name"},
        {"update_profile", "gender n|kind", "n=0", "(cleared)"},
        {"update_profile", "gender n|kind", "n=z", "!invalid.gender.kind"},
        /* number, boolean */
        {"logout", "account_id i", "i=0", "0"},
        {"logout", "account_id i", "i=9007199254740992", "9007199254740992"},
        {"logout", "account_id i", "i=9007199254740993", "!invalid.account_id.number"},
        {"logout", "account_id i", "i=99999999999999999999", "!invalid.account_id.number"},
        {"logout", "account_id i", "i=-1", "!invalid.account_id.number"},
        {"logout", "account_id i", "i=1.0", "!invalid.account_id.number"},
        {"logout", "account_id i", "i=+1", "!invalid.account_id.number"},
        {"logout", "account_id i", "i=0x1", "!invalid.account_id.number"},
        {"logout", "account_id i", "i=", "(absent)"},
        {"points", "all x", "x=true", "true"},
        {"points", "all x", "x=Y", "true"},
        {"points", "all x", "x=yES", "true"},
        {"points", "all x", "x=1", "true"},
        {"points", "all x", "x=FALSE", "false"},
        {"points", "all x", "x=n", "false"},
        {"points", "all x", "x=No", "false"},
        {"points", "all x", "x=0", "false"},
        {"points", "all x", "x=2", "!invalid.all.boolean"},
        {"points", "all x", "x=on", "!invalid.all.boolean"},
        /* kind */
        {"check_identifier", "kind k", "k=email", "email"},
        {"check_identifier", "kind k", "k=Email", "!invalid.kind.kind"},
        {"check_identifier", "kind k", "k=phone", "!invalid.kind.kind"},
        {"check_identifier", "kind k", "", "!invalid.kind.required"},
        {"check_identifier", "kind k|kind", "k=e", "email"},
        {"check_identifier", "kind k|kind", "k=m+x", "mobile"},
        {"check_identifier", "kind k|kind", "k=email", "!invalid.kind.kind"},
        {"check_identifier", "kind k|kind", "k=0", "!invalid.kind.required"},
        {"check_identifier", "value k|json", "k=true", "on"},
        {"check_identifier", "value k|json", "k=0", "off"},
        {"check_identifier", "value k|json", "k=yes", "text"},
        {"check_identifier", "value k|json", "k=no", "!invalid.value.json"},
        /* address */
        {"send_code", "target t", "t=+A%40b.cc", "A@b.cc"},
        {"send_code", "target t", "t=%2B86+13800138000", "!invalid.target.mobile"},
        {"send_code", "target t", "t=%2B8613800138000", "13800138000"},
        {"send_code", "target t", "t=1380013800", "!invalid.target.mobile"},
        {"send_code", "target t", "t=138-0013", "!invalid.target.mobile"},
        {"send_code", "target t", "t=alice", "!invalid.target.email"},
        {"send_code", "target t", "t=alice@", "!invalid.target.email"},
        {"send_code", "target t is=mobile", "t=a@b.cc", "!invalid.target.mobile"},
        {"send_code", "target t|base64", "t=MTM4MDAxMzgwMDA%3D", "13800138000"},
        {"send_code", "target t|base64", "t=MTIz", "!invalid.target.mobile"},
        {"send_code", "target t|base64", "t=YWxpY2U%3D", "!invalid.target.email"},
        {"send_code", "target t is=email", "t=13800138000", "!invalid.target.email"},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        const account_route_t *route;
        apr_pool_t *pool;

        apr_pool_create(&pool, parent);
        route = judge_route(&rows[i], pool);
        if (route) {
            is_str(judge(route, apr_pstrcat(pool, REST, rows[i].sent, NULL), pool), rows[i].wanted,
                   "%s: %s, sent %s", rows[i].action, rows[i].line, fixture_shown(rows[i].sent));
        }
        apr_pool_destroy(pool);
    }
}

/* 255 and 256 characters of one and of three bytes, for each kind of length. */
static void test_lengths(apr_pool_t *pool)
{
    static const struct {
        const char *action;
        const char *line;
        const char *rule;
    } rows[] = {
        {"login", "password p", "!invalid.password.length"},
        {"login", "account p", "!invalid.account.length"},
        {"register", "password p", "!invalid.password.length"},
        {"register", "nickname p", "!invalid.nickname.length"},
        {"check_identifier", "value p", "!invalid.value.length"},
    };
    apr_size_t i;
    int wide, count;

    for (i = 0; i < COUNT(rows); i++) {
        judge_row_t row = {rows[i].action, rows[i].line, NULL, NULL};
        const account_route_t *route = judge_route(&row, pool);

        for (wide = 0; route && wide < 2; wide++) {
            for (count = 255; count <= 256; count++) {
                char *text = apr_pcalloc(pool, 256 * 3 + 1);
                int j;

                for (j = 0; j < count; j++) {
                    memcpy(text + strlen(text), wide ? "\xE5\xBC\xA0" : "x", wide ? 3 : 1);
                }
                is_str(judge(route, apr_pstrcat(pool, REST "p=", text, NULL), pool),
                       count == 255 ? text : rows[i].rule, "%s: %s, %d %s characters",
                       rows[i].action, rows[i].line, count, wide ? "wide" : "narrow");
            }
        }
    }
}

/* Several lines for one input, one of several inputs, and the order of the refusals. */
static void test_alternatives(apr_pool_t *pool)
{
    static const char text[] = "<AccountContract c>\n"
                               "AccountReply * 400 '[\"%{outcome}\"]'\n"
                               "AccountReply ok 200 '1'\n"
                               "<AccountRoute r POST /r>\n"
                               "AccountAction register\n"
                               "AccountParam user_name u length=3-\n"
                               "AccountParam user_name name|base64\n"
                               "AccountParam email mail\n"
                               "AccountParam password p\n"
                               "AccountParam nickname n length=2-\n"
                               "</AccountRoute>\n</AccountContract>\n";
    static const struct {
        const char *sent;
        const char *user_name;
    } rows[] = {
        {"u=alice&p=password1", "alice"},
        {"name=YWxpY2U%3D&p=password1", "alice"},
        {"u=&name=YWxpY2U%3D&p=password1", "alice"},
        {"u=bob&name=YWxpY2U%3D&p=password1", "bob"},
        {"u=x&name=YWxpY2U%3D&p=password1", "!invalid.user_name.length"},
        {"u=&name=%2A&p=password1", "!invalid.user_name.base64"},
        {"mail=a@b.cc&p=password1", "(absent)"},
        {"p=password1", "!invalid.user_name.required"},
        {"u=&name=&mail=&p=password1", "!invalid.user_name.required"},
        {"mail=x&p=password1", "!invalid.email.email"},
        {"u=alice&mail=x&p=password1", "!invalid.email.email"},
        {"u=alice&p=short&n=x", "!invalid.password.length"},
        {"u=alice&n=x", "!invalid.password.required"},
        {"u=alice&p=password1&n=x", "!invalid.nickname.length"},
        {"p=short", "!invalid.password.length"},
    };
    const account_contract_t *contract = fixture_contract(text, pool);
    apr_size_t i;

    for (i = 0; contract && i < COUNT(rows); i++) {
        is_str(judge(ROUTE(contract->routes, 0), rows[i].sent, pool), rows[i].user_name,
               "alternatives: %s", rows[i].sent);
    }
}

/* What a refusal carries: the value as sent, never a secret. */
static void test_refused_value(apr_pool_t *pool)
{
    static const struct {
        const char *action;
        const char *line;
        const char *sent;
        const char *value;
    } rows[] = {
        {"register", "email e", "e=+x+", " x "},
        {"register", "email e|base64", "e=%2A", "*"},
        {"register", "password p", "p=short", ""},
        {"login", "code p length=-1", "p=12", ""},
        {"register", "answer p length=-1", "p=12", ""},
        {"register", "email e required", "", ""},
    };
    apr_size_t i;

    for (i = 0; i < COUNT(rows); i++) {
        judge_row_t row = {rows[i].action, rows[i].line, NULL, NULL};
        const account_route_t *route = judge_route(&row, pool);
        apr_array_header_t *pairs = apr_array_make(pool, 4, sizeof(account_pair_t));
        const char *form = apr_pstrcat(pool, rows[i].sent, "&" REST, NULL);
        account_judged_t judged;

        if (route && account_request_form(pairs, form, strlen(form))) {
            account_judge(route, pairs, &judged, pool);
            ok(judged.refusal != NULL, "%s %s is refused", rows[i].line, rows[i].sent);
            is_str(judged.value, rows[i].value, "and carries its value, unless it is a secret");
        }
    }
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_judge(pool);
    test_lengths(pool);
    test_alternatives(pool);
    test_refused_value(pool);
    apr_pool_destroy(pool);
    return done_testing();
}
