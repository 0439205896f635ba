/* The database's shape and the configuration. */
#include <stdio.h>

#include "server/cli.h"
#include "server/store/migrate.h"

int cli_migrate(struct cli *cli, struct error *err)
{
    struct store_options options = {.role = STORE_OWNER, .connections_max = 1};
    int applied = 0;
    if (!cli_conninfo(cli->arena, &cli->config, false, &options.conninfo, err))
        return -1;
    struct store *store = store_open(&options, err);
    bool is_done = store && migrate_run(store, &applied, err);
    store_close(&store);
    if (!is_done)
        return -1;
    printf(applied ? "%d migration%s applied.\n" : "The database is up to date.\n", applied,
           applied == 1 ? "" : "s");
    return 0;
}

int cli_config(struct cli *cli, struct error *err)
{
    (void)err;
    struct buf text = BUF_INIT(256 * 1024);
    if (cli->values['E'])
        config_write_example(&text);
    else
        config_write_effective(&text, &cli->config);
    fwrite(text.at, 1, text.length, stdout);
    buf_free(&text);
    return 0;
}
