#include "handlers/api/api.h"

#include "handlers/download.h"
#include "handlers/export.h"

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

    {HTTP_POST, V1 "/accounts/{account}/actions", api_actions, ROUTE_API},
    {HTTP_POST, V1 "/accounts/{account}/actions/undo", api_actions_undo, ROUTE_API},

    {HTTP_GET, V1 "/accounts/{account}/mailboxes", api_mailboxes, ROUTE_API},
    {HTTP_POST, V1 "/accounts/{account}/mailboxes", api_mailbox_create, ROUTE_API},
    {HTTP_PATCH, V1 "/accounts/{account}/mailboxes/{mailbox}", api_mailbox_update, ROUTE_API},
    {HTTP_DELETE, V1 "/accounts/{account}/mailboxes/{mailbox}", api_mailbox_delete, ROUTE_API},
    {HTTP_PATCH, V1 "/accounts/{account}/emails/{email}", api_email_patch, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/mailboxes/{mailbox}", api_mailbox, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/mailboxes/{mailbox}/emails", api_emails, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/emails/{email}", api_email, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/emails/{email}/raw", download_raw, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/emails/{email}/parts/{part}", download_part, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/threads/{thread}", api_thread, ROUTE_API},

    {HTTP_GET, V1 "/search", api_search, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/search", api_account_search, ROUTE_API},
    {HTTP_GET, V1 "/searches", api_saved_searches, ROUTE_API},
    {HTTP_POST, V1 "/searches", api_saved_search_put, ROUTE_API},
    {HTTP_DELETE, V1 "/searches/{search}", api_saved_search_delete, ROUTE_API},

    {HTTP_GET, V1 "/accounts/{account}/identities", api_identities, ROUTE_API},
    {HTTP_POST, V1 "/accounts/{account}/identities", api_identity_create, ROUTE_API},
    {HTTP_PUT | HTTP_PATCH, V1 "/accounts/{account}/identities/{identity}", api_identity_save,
     ROUTE_API},
    {HTTP_DELETE, V1 "/accounts/{account}/identities/{identity}", api_identity_delete, ROUTE_API},
    {HTTP_POST, V1 "/accounts/{account}/drafts", api_draft_create, ROUTE_API | ROUTE_LARGE_BODY},
    {HTTP_GET, V1 "/accounts/{account}/drafts/{draft}", api_draft, ROUTE_API},
    {HTTP_PUT | HTTP_PATCH, V1 "/accounts/{account}/drafts/{draft}", api_draft_save,
     ROUTE_API | ROUTE_LARGE_BODY},
    {HTTP_DELETE, V1 "/accounts/{account}/drafts/{draft}", api_draft_delete, ROUTE_API},
    {HTTP_POST, V1 "/accounts/{account}/uploads", api_upload, ROUTE_API | ROUTE_LARGE_BODY},
    {HTTP_POST, V1 "/accounts/{account}/drafts/{draft}/attachments", api_draft_attach,
     ROUTE_API | ROUTE_LARGE_BODY},
    {HTTP_DELETE, V1 "/accounts/{account}/drafts/{draft}/attachments/{attachment}",
     api_draft_detach, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/submissions", api_submissions, ROUTE_API},
    {HTTP_POST, V1 "/accounts/{account}/submissions", api_submission_create, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/submissions/{submission}", api_submission, ROUTE_API},
    {HTTP_POST, V1 "/accounts/{account}/submissions/{submission}/cancel", api_submission_cancel,
     ROUTE_API},
    {HTTP_POST, V1 "/accounts/{account}/submissions/{submission}/send-now", api_submission_hurry,
     ROUTE_API},

    {HTTP_GET, V1 "/accounts/{account}/export", export_download, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/export/summary", api_export_summary, ROUTE_API},
    {HTTP_POST, V1 "/accounts/{account}/export/complete", api_export_complete, ROUTE_API},
    {HTTP_POST, V1 "/accounts/{account}/imports", api_import, ROUTE_API | ROUTE_LARGE_BODY},
    {HTTP_GET, V1 "/accounts/{account}/transfers", api_transfers, ROUTE_API},
    {HTTP_GET, V1 "/accounts/{account}/transfers/{transfer}", api_transfer, ROUTE_API},
    {HTTP_POST, V1 "/accounts/{account}/transfers/{transfer}/cancel", api_transfer_cancel,
     ROUTE_API},

    {HTTP_GET, V1 "/contacts", api_contacts, ROUTE_API},
    {HTTP_POST, V1 "/contacts", api_contact_create, ROUTE_API},
    {HTTP_GET, V1 "/contacts/complete", api_contacts_complete, ROUTE_API},
    {HTTP_GET, V1 "/contacts/export", api_contacts_export, ROUTE_API},
    {HTTP_POST, V1 "/contacts/import", api_contacts_import, ROUTE_API},
    {HTTP_GET, V1 "/contacts/{contact}", api_contact, ROUTE_API},
    {HTTP_PUT | HTTP_PATCH, V1 "/contacts/{contact}", api_contact_save, ROUTE_API},
    {HTTP_DELETE, V1 "/contacts/{contact}", api_contact_delete, ROUTE_API},
};
const size_t api_route_count = sizeof api_routes / sizeof *api_routes;
