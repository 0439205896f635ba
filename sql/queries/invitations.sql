-- Answers to invitations.

-- One that was called back is none; one whose submission is forgotten went out long ago.
-- name: invitation_answer
SELECT a.answer, a.answered_at, coalesce(s.phase IN ('queued', 'transmitting'), false),
       coalesce(s.phase IN ('failed', 'unknown'), false)
  FROM invitation_answer a
  LEFT JOIN submission s ON s.account_id = a.account_id AND s.id = a.submission_id
 WHERE a.account_id = $1 AND a.email_id = $2 AND coalesce(s.phase, 'filed') <> 'cancelled';

-- name: invitation_answer_put
INSERT INTO invitation_answer (account_id, email_id, answer, submission_id)
VALUES ($1, $2, $3, $4)
    ON CONFLICT (account_id, email_id)
    DO UPDATE SET answer = excluded.answer, submission_id = excluded.submission_id, answered_at = now();
