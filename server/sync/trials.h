/* Trying things for people before anything is saved: which servers an address has, whether settings
 * work, whether a sign-in is good. The web role writes a trial row and NOTIFYs "trial <id>"; the
 * sync role carries it out and writes the result.
 *
 * Settings (trial.settings), JSON:
 *   discover: {"email": "ada@example.org"}
 *   account, sign-in: {"email", "kind": "imap"|"pop3",
 *       "incoming": {"host", "port", "tls": "implicit"|"starttls"|"none", "username"},
 *       "smtp": {"host", "port", "tls", "username"} or null}   username "" of smtp: as incoming
 *   trial.secret: the incoming password, sealed to "account:<trial.account_id>"; NULL: the secret
 * that account has already (trying an account as it stands)
 *
 * Results (trial.result), JSON:
 *   discover: {"candidates": [{"source": "table"|"autoconfig"|"srv"|"guess", "kind",
 *       "incoming": {...}, "smtp": {...} or null}], "recommended": 0}    best first; may be empty
 *   account, sign-in: {"ok": true, "capabilities": "..."} or
 *       {"ok": false, "part": "incoming"|"smtp", "step":
 * "resolve"|"connect"|"tls"|"greeting"|"sign-in", "kind": error kind's name, "message": a sentence,
 * "hint": what to do} anything: {"ok": false, "step": "", "kind", "message", "hint"} when the trial
 * itself failed.
 */
#ifndef RESTANTE_SYNC_TRIALS_H
#define RESTANTE_SYNC_TRIALS_H

#include "server/sync/sync.h"

/* Takes and carries out pending trials until there are none. Runs on a thread of the trial pool. */
void trials_run(const struct sync_context *sync);

#endif
