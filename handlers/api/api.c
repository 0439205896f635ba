#include "handlers/api/api.h"

#include "handlers/download.h"

#define V1 "/api/v1"

const struct route api_routes[] = {
    {HTTP_GET, V1 "/session", api_session, ROUTE_API},
    {HTTP_POST, V1 "/session", api_session_begin, ROUTE_API | ROUTE_PUBLIC | ROUTE_NO_CSRF},
    {HTTP_DELETE, V1 "/session", api_session_end, ROUTE_API},
    {HTTP_GET, V1 "/tokens", api_tokens, ROUTE_API},
    {HTTP_POST, V1 "/tokens", api_token_create, ROUTE_API},
    {HTTP_DELETE, V1 "/tokens/{token}", api_token_revoke, ROUTE_API},

    {HTTP_GET, V1 "/accounts", api_accounts, ROUTE_API},
    {HTTP_POST, V1 "/accounts", api_account_create, ROUTE_API},
    {HTTP_POST, V1 "/accounts/discover", api_discover, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}", api_account, ROUTE_API},
    {HTTP_PATCH, V1 "/accounts/{account}", api_account_update, ROUTE_API},
    {HTTP_DELETE, V1 "/accounts/{account}", api_account_delete, ROUTE_API},
    {HTTP_POST, V1 "/accounts/{account}/sync", api_account_sync, ROUTE_API},
    {HTTP_POST, V1 "/accounts/{account}/test", api_account_test, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/changes", api_changes, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/operations/{operation}", api_operation, ROUTE_API},

    {HTTP_GET, V1 "/accounts/{account}/mailboxes", api_mailboxes, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/mailboxes/{mailbox}", api_mailbox, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/mailboxes/{mailbox}/emails", api_emails, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/emails/{email}", api_email, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/emails/{email}/raw", download_raw, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/emails/{email}/parts/{part}", download_part, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/threads/{thread}", api_thread, ROUTE_API},
};
const size_t api_route_count = sizeof api_routes / sizeof *api_routes;
