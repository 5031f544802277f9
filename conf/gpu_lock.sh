# Sourced before a task that uses a GPU of this machine: waits for one that no other task has, of this run or of another,
# and keeps it until the task ends, however it ends. An open file is the lock: none is ever left behind.
locks=${IDRSTREAM_LOCKS:-/tmp/idrstream-locks}
devices=${CUDA_VISIBLE_DEVICES-$(nvidia-smi --query-gpu=index --format=csv,noheader 2>/dev/null || true)}
if [ -n "$devices" ]; then
    command -v flock >/dev/null || { echo 'flock (package util-linux) is not here: GPUs could not be kept apart' >&2; exit 64; }
    mkdir -p -m 1777 "$locks"
    while :; do
        for device in ${devices//,/ }; do
            [ -e "$locks/$device" ] || (umask 0; : >>"$locks/$device")     # every user of the machine may open it
            exec 9<"$locks/$device"
            if flock -n 9; then break 2; fi
        done
        sleep 1
    done
    export CUDA_VISIBLE_DEVICES=$device CUDA_DEVICE_ORDER=PCI_BUS_ID       # as nvidia-smi counts them
fi
