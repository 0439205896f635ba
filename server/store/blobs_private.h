/* What the writers of blobs share: how a chunk is stored. */
#ifndef RESTANTE_STORE_BLOBS_PRIVATE_H
#define RESTANTE_STORE_BLOBS_PRIVATE_H

#include "server/store/blobs.h"

/* What compressing needs, made when first needed: a megabyte, so many blobs share one. Starts
 * zeroed. */
struct blob_packer {
    void *zstd;  /* ZSTD_CCtx, owned */
    char *frame; /* room for a compressed chunk, owned */
};

/* The bytes of a chunk as they are stored: valid until the next call. Sets `*is_zstd` when they are
 * a frame, and leaves it alone otherwise. */
struct str blob_pack(struct blob_packer *packer, struct str plain, bool *is_zstd);
void blob_packer_free(struct blob_packer *packer);

#endif
