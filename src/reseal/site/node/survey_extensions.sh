# Services that keep copies of the node's files: which are there, and what their own
# configuration says of the copies.  Passwords stay where they are.

# within FILE SETTING?PARAMETER…: parameters of settings that are URLs, as settings.
within() {
    url=$1
    shift
    for each; do
        settings "$url" | sed -n "s/^[[:space:]]*${each%%\?*}[[:space:]]*[=:].*[?&]${each#*\?}=\([^&;\"'[:space:]]*\).*/$each = \1/p"
    done
}

# extension NAME SERVICES SETTINGS WITHIN FILE…: a section for one that is there, by
# its services, or, where it has none, by its configuration.
extension() {
    name=$1 names=$2 wanted=$3 parameters=$4 place=
    shift 4
    found=$(services $names)
    for path in "$@"; do
        case $path in "${node_home:-/}"*) ;; *) continue ;; esac
        if [ -f "$path" ]; then place=$path; fi
    done
    if [ -z "$found" ]; then
        # A site's own that has neither is there because the site says so.
        [ -z "$names" ] && { [ -n "$place" ] || [ $# -eq 0 ]; } || return 0
    fi
    say "services $name"
    printf '%s\n' "$found"
    say "config $name"
    for path in "$@"; do
        case $path in "${node_home:-/}"*) ;; *) continue ;; esac
        if [ -f "$path" ]; then
            printf '#file %s\n' "$path"
            settings "$path" | grep -E "^[[:space:]]*:?($wanted)([[:space:]]|=|:)"
            (set -f && within "$path" $parameters)
        fi
    done
}
