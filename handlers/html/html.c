#include "handlers/html/html.h"

#include "handlers/download.h"
#include "handlers/export.h"
#include "handlers/html/screens.h"

const struct route html_routes[] = {
    {HTTP_GET, "/static/{path*}", html_static, ROUTE_PUBLIC | ROUTE_NO_CSRF},

    {HTTP_GET, "/sign-in", html_sign_in_form, ROUTE_PUBLIC},
    {HTTP_POST, "/sign-in", html_sign_in, ROUTE_PUBLIC | ROUTE_NO_CSRF},
    {HTTP_POST, "/sign-out", html_sign_out, 0},

    {HTTP_GET, "/", html_home, 0},
    {HTTP_GET, "/mail/{account}", html_account_mail, 0},
    {HTTP_POST, "/mail/{account}/sync", html_sync_now, 0},
    {HTTP_GET, "/mail/{account}/refused", html_refused, 0},
    {HTTP_POST, "/mail/{account}/refused", html_refused_told, 0},
    {HTTP_GET, "/mail/{account}/compose", html_compose, 0},
    {HTTP_POST, "/mail/{account}/compose", html_compose_post, ROUTE_LARGE_BODY},
    {HTTP_GET, "/mail/{account}/compose/{draft}", html_draft, 0},
    {HTTP_POST, "/mail/{account}/compose/{draft}", html_draft_post, ROUTE_LARGE_BODY},
    {HTTP_GET, "/mail/{account}/compose/{draft}/attachment/{attachment}", html_draft_attachment, 0},
    {HTTP_GET, "/mail/{account}/outbox", html_outbox, 0},
    {HTTP_POST, "/mail/{account}/outbox/{submission}/cancel", html_outbox_cancel, 0},
    {HTTP_POST, "/mail/{account}/outbox/{submission}/send-now", html_outbox_hurry, 0},
    {HTTP_GET, "/mail/{account}/{mailbox}", html_mailbox, 0},
    {HTTP_POST, "/mail/{account}/{mailbox}/act", html_act, 0},
    {HTTP_POST, "/mail/{account}/{mailbox}/undo", html_undo, 0},
    {HTTP_GET, "/mail/{account}/{mailbox}/{email}", html_message, 0},
    {HTTP_GET, "/mail/{account}/message/{email}/body", html_body, 0},
    {HTTP_GET, "/mail/{account}/message/{email}/part/{part}", download_part, 0},
    {HTTP_GET, "/mail/{account}/message/{email}/view/{part}", html_view, 0},
    {HTTP_GET, "/mail/{account}/message/{email}/attachments.zip", download_attachments, 0},
    {HTTP_GET, "/mail/{account}/message/{email}/inside/{part}", html_inside, 0},
    {HTTP_GET, "/mail/{account}/message/{email}/winmail/{part}/{n}", html_winmail, 0},
    {HTTP_POST, "/mail/{account}/message/{email}/invitation/{part}", html_invitation, 0},
    {HTTP_POST, "/mail/{account}/message/{email}/contact/{part}", html_card_keep, 0},
    {HTTP_POST, "/mail/{account}/message/{email}/remote", html_remote, 0},
    {HTTP_POST, "/mail/{account}/message/{email}/unsubscribe", html_unsubscribe, 0},
    {HTTP_GET, "/mail/{account}/message/{email}/unsubscribe-by-mail", html_unsubscribe_mail_form,
     0},
    {HTTP_POST, "/mail/{account}/message/{email}/unsubscribe-by-mail", html_unsubscribe_mail, 0},
    {HTTP_GET, "/mail/{account}/thread/{thread}", html_conversation, 0},
    {HTTP_GET, "/mail/{account}/message/{email}/raw", download_raw, 0},
    {HTTP_GET, "/mail/{account}/message/{email}/source", html_source, 0},
    /* the sandboxed frame has no cookies: its ticket is its authority */
    {HTTP_GET, "/picture/{ticket}/{part}", html_picture, ROUTE_PUBLIC | ROUTE_NO_CSRF},

    {HTTP_GET, "/search", html_search, 0},
    {HTTP_POST, "/search/saved", html_search_save, 0},
    {HTTP_POST, "/search/saved/{search}/forget", html_search_forget, 0},

    {HTTP_GET, "/accounts", html_accounts, 0},
    {HTTP_GET, "/accounts/new", html_account_new_form, 0},
    {HTTP_POST, "/accounts/new", html_account_new, 0},
    {HTTP_POST, "/accounts/new/kind", html_account_kind, 0},
    {HTTP_GET, "/accounts/{account}", html_account, 0},
    {HTTP_POST, "/accounts/{account}", html_account_save, 0},
    {HTTP_GET, "/accounts/{account}/servers", html_account_servers_form, 0},
    {HTTP_POST, "/accounts/{account}/servers", html_account_servers, 0},
    {HTTP_POST, "/accounts/{account}/pop3", html_account_pop3, 0},
    {HTTP_GET, "/accounts/{account}/delete", html_account_delete_form, 0},
    {HTTP_POST, "/accounts/{account}/delete", html_account_delete, 0},

    {HTTP_GET, "/accounts/{account}/folders", html_folders, 0},
    {HTTP_POST, "/accounts/{account}/folders", html_folder_create, 0},
    {HTTP_GET, "/accounts/{account}/folders/{mailbox}", html_folder, 0},
    {HTTP_POST, "/accounts/{account}/folders/{mailbox}", html_folder_change, 0},

    {HTTP_GET, "/accounts/{account}/archive", html_archive, 0},
    {HTTP_GET, "/accounts/{account}/export", export_download, 0},
    {HTTP_POST, "/accounts/{account}/complete", html_export_complete, 0},
    {HTTP_POST, "/accounts/{account}/import", html_import, ROUTE_IMPORT_BODY},
    {HTTP_POST, "/accounts/{account}/transfers/{transfer}/cancel", html_transfer_cancel, 0},

    {HTTP_GET, "/accounts/{account}/senders", html_identities, 0},
    {HTTP_POST, "/accounts/{account}/senders", html_identity_save, 0},
    {HTTP_GET, "/contacts", html_contacts, 0},
    {HTTP_POST, "/contacts", html_contact_add, 0},
    {HTTP_POST, "/contacts/import", html_contacts_import, ROUTE_LARGE_BODY},
    {HTTP_GET, "/contacts/export", html_contacts_export, 0},
    {HTTP_GET, "/contacts/{contact}", html_contact, 0},
    {HTTP_POST, "/contacts/{contact}", html_contact_save, 0},

    {HTTP_GET, "/settings", html_settings, 0},
    {HTTP_POST, "/settings/lists", html_lists, 0},
    {HTTP_POST, "/settings/password", html_password, 0},
    {HTTP_POST, "/settings/sessions/end", html_session_end, 0},
    {HTTP_POST, "/settings/sessions/end-all", html_sessions_end, 0},
    {HTTP_POST, "/settings/tokens", html_token_create, 0},
    {HTTP_POST, "/settings/tokens/{token}/revoke", html_token_revoke, 0},
};
const size_t html_route_count = sizeof html_routes / sizeof *html_routes;
