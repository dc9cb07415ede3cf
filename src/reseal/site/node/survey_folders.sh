# Which files NAME.pem are in directories: FOLDER…
shift
number=0
for folder; do
    say "folder $number"
    for path in "$folder"/*.pem; do
        name=${path##*/}
        case $name in *[!A-Za-z0-9_@+=:,.\ -]*) continue ;; esac
        if [ -f "$path" ]; then printf '%s\n' "$name"; fi
    done
    number=$((number + 1))
done
say end
