/* The handlers that html.c's table names, by the file they stand in. */
#ifndef RESTANTE_HANDLERS_HTML_SCREENS_H
#define RESTANTE_HANDLERS_HTML_SCREENS_H

#include "server/http/router.h"

/* static_files.c */
route_handler html_static;
/* sign_in_page.c */
route_handler html_sign_in_form, html_sign_in, html_sign_out;
/* mailbox.c */
route_handler html_home, html_account_mail, html_mailbox, html_sync_now;
/* act.c */
route_handler html_act, html_undo;
/* bulk.c */
route_handler html_bulk_cancel, html_bulk_undo;
/* snooze.c */
route_handler html_snoozed, html_snoozed_end;
/* told.c */
route_handler html_refused, html_refused_told;
/* labels.c */
route_handler html_labels, html_label_create, html_label_save;
/* folders.c */
route_handler html_folders, html_folder_create, html_folder, html_folder_change;
/* search_act.c */
route_handler html_search_act, html_search_undo;
/* search.c */
route_handler html_search, html_search_save, html_search_forget;
/* message.c */
route_handler html_message;
/* letter_sender.c */
route_handler html_receipt, html_remote, html_unsubscribe, html_unsubscribe_mail_form,
    html_unsubscribe_mail;
/* attachments.c */
route_handler html_view;
/* cards.c, inside.c */
route_handler html_winmail, html_inside, html_inside_part;
/* invitation.c */
route_handler html_invitation, html_card_keep;
/* conversation.c */
route_handler html_conversation;
/* frame.c */
route_handler html_body;
/* source.c; what is downloaded comes from handlers/download.h */
route_handler html_source;
/* picture.c: pictures inside the frame */
route_handler html_picture;
/* accounts.c */
route_handler html_accounts, html_account, html_account_save, html_account_pop3,
    html_account_delete_form, html_account_delete;
/* archive.c; the export itself comes from handlers/export.h */
route_handler html_archive, html_import, html_export_complete, html_transfer_cancel;
/* account_new.c */
route_handler html_account_new_form, html_account_new, html_account_kind, html_account_servers_form,
    html_account_servers;
/* compose.c */
route_handler html_compose, html_compose_post, html_draft, html_draft_post, html_draft_attachment;
/* outbox.c */
route_handler html_outbox, html_outbox_cancel, html_outbox_hurry, html_outbox_settle;
/* identities.c */
route_handler html_contact_group, html_contact_group_add, html_contact_group_save;
route_handler html_identities, html_identity_save;
/* contacts.c */
route_handler html_contacts, html_contact, html_contact_add, html_contact_save,
    html_contacts_import, html_contacts_export;
/* settings.c */
route_handler html_settings, html_lists, html_password, html_session_end, html_sessions_end,
    html_token_create, html_token_revoke;

#endif
