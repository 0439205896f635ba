/* A mail server's challenges, one a line. The first byte chooses the mechanism, its high bit that
 * the second challenge begins with the nonce that SCRAM wants back (nobody can guess it). */
#include "server/net/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void write_challenge(struct buf *challenge, struct str line, struct str answer)
{
    ptrdiff_t nonce = str_find(answer, STR("r="));
    buf_reset(challenge);
    if (nonce >= 0)
        buf_str(challenge, str_skip(answer, (size_t)nonce));
    buf_str(challenge, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    struct secret secret = secret_new(STR("pencil"));
    const struct sasl_params params = {.username = STR("ada,=@example.org"),
                                       .secret = &secret,
                                       .host = STR("imap.example.org"),
                                       .port = 993};
    enum sasl_mechanism mechanism = SASL_PLAIN + (bytes[0] & 127) % (SASL_MECHANISMS - SASL_PLAIN);
    struct sasl *sasl = sasl_new(mechanism, &params, NULL);
    struct buf challenge = BUF_INIT(1 << 20), answer = BUF_INIT(1 << 20);
    struct str rest = str_make(bytes + 1, size - 1);
    bool goes_on = true;
    if (sasl_is_client_first(sasl))
        goes_on = sasl_step(sasl, STR_EMPTY, &answer, NULL);
    for (int i = 0; goes_on && rest.at && i < 8; i++) {
        struct str line = str_cut(&rest, '\n');
        write_challenge(&challenge, line, bytes[0] & 128 && i == 0 ? buf_view(&answer) : STR_EMPTY);
        buf_reset(&answer);
        goes_on = sasl_step(sasl, buf_view(&challenge), &answer, NULL);
    }
    sasl_finish(sasl, str_make(bytes + 1, size - 1), NULL);
    sasl_free(&sasl);
    secret_free(&secret);
    buf_free(&challenge);
    buf_free(&answer);
    return 0;
}
