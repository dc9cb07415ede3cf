# Services that keep copies of the node's files: which are there, and what their own
# configuration says of the copies.  Passwords stay where they are.

# extension NAME SERVICES SETTINGS FILE…: a section for one that is there.
extension() {
    name=$1 names=$2 wanted=$3
    shift 3
    found=$(services $names)
    [ -n "$found" ] || return 0
    say "services $name"
    printf '%s\n' "$found"
    say "config $name"
    for path in "$@"; do
        case $path in "${node_home:-/}"*) ;; *) continue ;; esac
        if [ -f "$path" ]; then
            printf '#file %s\n' "$path"
            settings "$path" | grep -E "^[[:space:]]*($wanted)([[:space:]]|=|:)"
        fi
    done
}
