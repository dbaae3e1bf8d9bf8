# Runs the blocks of a section of the runbook in one shell, as an operator types them. Reads the path of each block from
# standard input, writes what a terminal would show beside it, and says its exit code.
exec 3<&0 4>&1 </dev/null
while read -r -u 3 block; do
    . "$block" >"$block.out" 2>&1 3<&- 4>&-
    echo "$?" >&4
done
# What the section left in the background ends with it.
jobs -p | xargs -r kill 2>/dev/null
