#include "action/actions.h"

/* Not written yet. */
apr_status_t account_do_login_with_code(const account_call_t *call, account_answer_t *answer)
{
    (void)call, (void)answer;
    return APR_ENOTIMPL;
}

apr_status_t account_do_register_with_code(const account_call_t *call, account_answer_t *answer)
{
    (void)call, (void)answer;
    return APR_ENOTIMPL;
}

apr_status_t account_do_send_code(const account_call_t *call, account_answer_t *answer)
{
    (void)call, (void)answer;
    return APR_ENOTIMPL;
}

apr_status_t account_do_send_link(const account_call_t *call, account_answer_t *answer)
{
    (void)call, (void)answer;
    return APR_ENOTIMPL;
}

apr_status_t account_do_change_address(const account_call_t *call, account_answer_t *answer)
{
    (void)call, (void)answer;
    return APR_ENOTIMPL;
}

apr_status_t account_do_points(const account_call_t *call, account_answer_t *answer)
{
    (void)call, (void)answer;
    return APR_ENOTIMPL;
}

apr_status_t account_do_captcha(const account_call_t *call, account_answer_t *answer)
{
    (void)call, (void)answer;
    return APR_ENOTIMPL;
}

apr_status_t account_do_captcha_image(const account_call_t *call, account_answer_t *answer)
{
    (void)call, (void)answer;
    return APR_ENOTIMPL;
}

apr_status_t account_do_open_link(const account_call_t *call, account_answer_t *answer)
{
    (void)call, (void)answer;
    return APR_ENOTIMPL;
}

apr_status_t account_do_activate(const account_call_t *call, account_answer_t *answer)
{
    (void)call, (void)answer;
    return APR_ENOTIMPL;
}

apr_status_t account_do_reset_by_link(const account_call_t *call, account_answer_t *answer)
{
    (void)call, (void)answer;
    return APR_ENOTIMPL;
}

apr_status_t account_do_set_role(const account_call_t *call, account_answer_t *answer)
{
    (void)call, (void)answer;
    return APR_ENOTIMPL;
}

apr_status_t account_do_disable(const account_call_t *call, account_answer_t *answer)
{
    (void)call, (void)answer;
    return APR_ENOTIMPL;
}

apr_status_t account_do_enable(const account_call_t *call, account_answer_t *answer)
{
    (void)call, (void)answer;
    return APR_ENOTIMPL;
}
