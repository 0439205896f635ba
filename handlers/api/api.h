/* /api/v1: the replica for programs. Objects and properties are named as in RFC 8621 (Mailbox,
 * Email, Thread) and RFC 8620; ids are strings there, and so they are here. Errors are problem
 * documents (RFC 9457). The table of routes in api.c is the place to begin. */
#ifndef RESTANTE_HANDLERS_API_API_H
#define RESTANTE_HANDLERS_API_API_H

#include "server/http/router.h"

extern const struct route api_routes[];
extern const size_t api_route_count;

/* session.c */
route_handler api_session, api_session_begin, api_session_end;
route_handler api_tokens, api_token_create, api_token_revoke;
/* accounts.c */
route_handler api_accounts, api_account, api_account_create, api_account_update, api_account_delete;
route_handler api_account_sync, api_account_test, api_discover;
/* mailboxes.c */
route_handler api_mailboxes, api_mailbox;
/* emails.c, email.c */
route_handler api_emails, api_email, api_thread;
/* actions.c */
route_handler api_actions, api_actions_undo;
route_handler api_mailbox_create, api_mailbox_update, api_mailbox_delete;
/* set.c */
route_handler api_email_patch, api_emails_set;
/* labels.c */
route_handler api_labels, api_label_create, api_label_save, api_label_delete;
/* snooze.c */
route_handler api_snoozed, api_snooze, api_snooze_end;
/* bulk.c */
route_handler api_bulks, api_bulk, api_bulk_cancel, api_bulk_undo;
/* search.c */
route_handler api_search, api_account_search;
route_handler api_saved_searches, api_saved_search_put, api_saved_search_delete;
/* changes.c */
route_handler api_changes, api_operation;
/* events.c */
route_handler api_events;
/* drafts.c */
route_handler api_draft_create, api_draft, api_draft_save, api_draft_delete;
route_handler api_upload, api_draft_attach, api_draft_detach;
/* submissions.c */
route_handler api_submissions, api_submission, api_submission_create, api_submission_cancel;
route_handler api_submission_hurry, api_submission_settle, api_invitation_answer;
/* transfers.c; the export itself comes from handlers/export.h */
route_handler api_export_summary, api_export_complete, api_import;
route_handler api_transfers, api_transfer, api_transfer_cancel;
/* identities.c */
route_handler api_contact_groups, api_contact_group, api_contact_group_create,
    api_contact_group_save, api_contact_group_delete;
route_handler api_identities, api_identity_create, api_identity_save, api_identity_delete;
/* contacts.c */
route_handler api_contacts, api_contact, api_contact_create, api_contact_save, api_contact_delete;
route_handler api_contacts_complete, api_contacts_export, api_contacts_import;

#endif
