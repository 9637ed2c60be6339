#ifndef ACCOUNT_ACTION_ACTIONS_H
#define ACCOUNT_ACTION_ACTIONS_H

#include "action/call.h"

/*
 * The actions themselves; account_actions (registry.c) says what each takes and how it can end.
 * All return APR_SUCCESS with answer filled, or the status of the machine's failure.
 */
apr_status_t account_do_none(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_current(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_login(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_logout(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_sessions(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_end_session(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_end_other_sessions(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_register(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_change_password(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_reset_password(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_update_profile(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_check_identifier(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_security_question(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_check_answer(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_login_with_code(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_register_with_code(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_send_code(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_send_link(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_change_address(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_points(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_captcha(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_captcha_image(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_open_link(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_activate(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_reset_by_link(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_set_role(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_disable(const account_call_t *call, account_answer_t *answer);
apr_status_t account_do_enable(const account_call_t *call, account_answer_t *answer);

#endif
