#include "server/sync/summary.h"

void summary_fill(const struct parser_summary *s, struct replica_email *email)
{
    email->message_id = s->message_id;
    email->in_reply_to = s->in_reply_to;
    email->references = s->references;
    email->subject = s->subject;
    email->from_json = s->from_json;
    email->sender_json = s->sender_json;
    email->reply_to_json = s->reply_to_json;
    email->to_json = s->to_json;
    email->cc_json = s->cc_json;
    email->bcc_json = s->bcc_json;
    email->sent_at = s->sent_at;
    email->has_attachment = s->has_attachment;
    email->preview = s->preview;
    email->structure = s->structure;
    email->header_json = s->header_json;
    email->thread_keys = s->thread_keys;
    email->thread_key_count = s->thread_key_count;
    email->message_key = s->message_key;
    email->words = s->words;
    if (email->received_at == 0)
        email->received_at = s->received_at ? s->received_at : s->sent_at;
}
