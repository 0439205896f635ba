#!/bin/sh
# Prints an assembler file that carries the files named as arguments (sorted by name, as bsearch
# expects) and the table `embedded_assets` of server/base/assets.c.
set -eu
LC_ALL=C
export LC_ALL
echo '    .section .note.GNU-stack,"",@progbits'
echo '    .section .rodata'
n=0
for file in $(printf '%s\n' "$@" | sort -u); do
    printf '.Lname%d: .asciz "%s"\n.Lbytes%d: .incbin "%s"\n.Lend%d: .byte 0\n' \
        "$n" "$file" "$n" "$file" "$n"
    n=$((n + 1))
done
echo '    .balign 8'
echo '    .globl embedded_asset_count'
printf 'embedded_asset_count: .quad %d\n' "$n"
echo '    .section .data.rel.ro,"aw",@progbits'
echo '    .balign 8'
echo '    .globl embedded_assets'
echo 'embedded_assets:'
i=0
while [ "$i" -lt "$n" ]; do
    printf '    .quad .Lname%d, .Lbytes%d, .Lend%d - .Lbytes%d\n' "$i" "$i" "$i" "$i"
    i=$((i + 1))
done
