-- Of the service as a whole.

-- name: service_status
SELECT accounts_new, accounts_syncing, accounts_current, accounts_unreachable, accounts_refused,
       accounts_paused, operations_waiting, oldest_operation_s
  FROM service_status();
