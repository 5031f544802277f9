# Sourced before a task that uses a GPU of this machine: waits for one that no other task has, of this run or of another,
# and keeps it until the task ends, however it ends. An open folder is the lock: none is ever left behind.
# Every user of the machine may write where locks lie, so nothing there is followed, written to or believed: locks are
# folders and a holder's note is a link (neither can be made through somebody else's link); the note names a process,
# and who that is, the system says.

gpu_holder() {      # who has the GPU $1, in words
    local note pid folder
    for note in "$locks/${1//\//_}".by-*; do
        [ -L "$note" ] || continue
        read -r pid folder <<<"$(readlink "$note")"
        [[ $pid =~ ^[0-9]+$ && $(stat -c %U "$note") == "$(stat -c %U "/proc/$pid" 2>/dev/null)" ]] || continue
        echo "GPU $1 is held by $(ps -o user=,pid=,args= -p "$pid" | tr -s ' ') in ${folder//[^[:print:]]/?}"
        return
    done
    echo "GPU $1 is held by somebody who left no note: 'fuser -v $locks/$1' tells root who"
}

gpu_refuse() {
    echo "$1 is no folder of everybody's ($(stat -c '%N, of %U' "$1" 2>&1)), so GPUs cannot be kept apart: have it deleted," \
        "or name another folder, the same for all users, in IDRSTREAM_LOCKS" >&2
    exit 64
}

locks=${IDRSTREAM_LOCKS:-/tmp/idrstream-locks}
devices=${CUDA_VISIBLE_DEVICES-$(nvidia-smi --query-gpu=index --format=csv,noheader 2>/dev/null || true)}
[ "$devices" != -1 ] || devices=        # the usual way to say: no GPU
if [ -n "$devices" ]; then
    command -v flock >/dev/null || { echo 'flock (package util-linux) is not here: GPUs could not be kept apart' >&2; exit 64; }
    mkdir -p -m 1777 "$locks" 2>/dev/null || true
    [ -d "$locks" ] && [ ! -L "$locks" ] || gpu_refuse "$locks"
    seconds=0
    while :; do
        for device in ${devices//,/ }; do
            lock=$locks/${device//\//_}     # MIG-GPU-.../0/0 is one name
            (umask 022; mkdir "$lock" 2>/dev/null) || true
            [ -d "$lock" ] && [ ! -L "$lock" ] && [ -r "$lock" ] || gpu_refuse "$lock"
            exec 9<"$lock"
            if flock -n 9; then break 2; fi
        done
        if ((seconds++ % 60 == 0)); then
            for device in ${devices//,/ }; do echo "waiting for a GPU: $(gpu_holder "$device")" >&2; done
        fi
        sleep 1
    done
    ln -sfnT "$$ $PWD" "$lock.by-$UID" 2>/dev/null || true
    export CUDA_VISIBLE_DEVICES=$device CUDA_DEVICE_ORDER=PCI_BUS_ID       # as nvidia-smi counts them
fi
