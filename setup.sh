#!/usr/bin/env bash
# Makes what the pipeline runs with, where it runs without containers; nothing is done twice.
#   setup.sh engine     engine/nextflow; jars: only the jars that linting needs
#   setup.sh TOOL...    acquire, cellpose, deepprofiler, profiles, volume as virtual environments in .venvs/, from the images' locks
#   setup.sh tests      what tests and linting need, into those
#   setup.sh lock       the lock files, from their requirements.in; lock --check only compares
#
#   NXF_FROM=path|installer|maven   take this Nextflow and no other; NXF_VER: what the installer brings
#   PYTHON=python3.11   the Python to build on
#   TORCH=yes           PyTorch in cellpose and volume also where no GPU is found: for networks of your own, training, tests
# uv's own settings (UV_DEFAULT_INDEX, UV_CACHE_DIR, SSL_CERT_FILE, ...) pass through.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
root=$PWD venvs=$PWD/.venvs uv_version=0.13.8
python=${PYTHON:-python3.11}
from=${NXF_FROM:-any} oldest=25.04.3 installer=${NXF_INSTALLER:-https://get.nextflow.io}
maven=org.apache.maven:apache-maven:tar.gz:bin:3.9.11
maven_sha512=bcfe4fe305c962ace56ac7b5fc7a08b87d5abd8b7e89027ab251069faebee516b0ded8961445d6d91ec1985dfe30f8153268843c89aa392733d1a3ec956c9978
export UV_COMPILE_BYTECODE=1 UV_NO_PROGRESS=1 UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-180}
unset PYTHONDONTWRITEBYTECODE PYTHONPATH VIRTUAL_ENV

say() { echo "set-up: $*"; }
die() { echo "set-up: $*" >&2; exit 1; }
size() { du -sh "$@" 2>/dev/null | awk 'END { print $1 }'; }

# uv in an environment of its own, by pip: nothing is asked of the machine but Python.
uv() {
    local uv=$venvs/uv/bin/uv
    if [[ $(cat "$venvs/uv/.done" 2>/dev/null) != "$uv_version" ]]; then
        "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null ||
            die "'$python' is not a Python 3.11: apt-get install python3.11 python3.11-venv, or PYTHON=/path/to/python3.11"
        rm -rf "$venvs/uv"
        "$python" -m venv "$venvs/uv" >/dev/null 2>&1 ||
            die "'$python' cannot make virtual environments: apt-get install python3.11-venv"
        "$venvs/uv/bin/python" -m pip install -q --disable-pip-version-check "uv==$uv_version" ||
            die "uv could not be fetched: is there a way to PyPI? A mirror: PIP_INDEX_URL for pip, UV_DEFAULT_INDEX for uv"
        echo "$uv_version" >"$venvs/uv/.done"
    fi
    [[ $# -eq 0 ]] || "$uv" "$@"
}

has_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; }

# Which packages of tool $1's lock $2 this machine needs: all where there is a GPU (with the reason), else lean, without those
# that only a GPU needs; nothing where the lock has none of these.
build() {
    if ! grep -q '^nvidia-' "$2"; then return
    elif has_gpu; then echo "all (an NVIDIA GPU is here)"
    elif [[ $1 =~ ^(cellpose|volume)$ && -n ${TORCH:-} ]]; then echo "all (TORCH=$TORCH)"
    else echo lean; fi
}

install() {
    local tool=$1 lock=containers/$1/requirements.txt venv=$venvs/$1 start=$SECONDS build key
    [[ -f $lock ]] || die "no such environment: $tool"
    build=$(build "$tool" "$lock")
    key="$(pins | sha256sum) $build"
    if [[ -x $venv/bin/python ]]; then
        case $(cat "$venv/.done" 2>/dev/null) in
            "$key" | "${key% lean} all"*) say "$tool: ready"; return ;;       # all packages serve where lean would do
        esac
    fi

    uv
    say "$tool: installing its packages${build:+: $build}"
    rm -f "$venv/.done"
    uv venv -q --clear --python "$python" "$venv"
    case $build in
        lean)   packages "$tool" --require-hashes -r <(lean) ;;
        *)      packages "$tool" --require-hashes -r "$lock" ;;
    esac
    echo "$key" >"$venv/.done"           # last: a half-made environment is never taken for done
    say "$tool: $(du -sh "$venv" | cut -f1) in .venvs/$tool, $((SECONDS - start)) s"
}

packages() {
    uv pip install -q --no-deps --python "$venvs/$1/bin/python" "${@:2}" ||
        die "$1: not installed (why: above). No network? UV_DEFAULT_INDEX names a mirror. No space? .venvs takes up to 10 GB"
}

# The lock's packages without their hashes, a line each.
pins() { sed -n 's/^\([^ #].*[^ \\]\)[ \\]*$/\1/p' "$lock"; }

# The lock without the libraries that only a GPU needs, and without their hashes, which follow them.
lean() { awk '/^[^ #]/ { gpu = /^(torch==|triton==|onnxruntime-gpu==|nvidia-|cuda-)/ } !gpu' "$lock"; }

# The version that program $1 answers; nothing if it does not within a minute, as a launcher that cannot fetch its jar.
answer() {
    NXF_DISABLE_CHECK_LATEST=true timeout "${2:-60}" "$1" -version 2>/dev/null </dev/null |
        sed -n 's/.*version \([0-9.]*[0-9]\).*/\1/p' | head -n 1
}

from_path() {
    local program version
    while read -r program; do
        [[ $(readlink -f "$program") == "$root/engine/nextflow" ]] && continue
        version=$(answer "$program" || true)
        if [[ -z $version ]]; then say "engine: $program does not answer -version: passed over"; continue; fi
        if [[ $(printf '%s\n' "$oldest" "$version" | sort -V | head -n 1) != "$oldest" ]]; then
            say "engine: $program is $version, older than $oldest: passed over"; continue
        fi
        say "engine: $program, Nextflow $version, is used as it is"
        echo "$program" >engine/.choice
        return 0
    done < <(type -ap nextflow)
    return 1
}

from_installer() {
    curl -fsSL -m 10 -o /dev/null "$installer" 2>/dev/null || { say "engine: $installer cannot be reached"; return 1; }
    say "engine: running the installer of $installer"
    rm -rf engine/bin && mkdir engine/bin
    if ! (cd engine/bin && curl -fsSL "$installer" | NXF_VER=${NXF_VER:-25.04.4} bash && [[ -x nextflow ]]) >engine/bin/install.log 2>&1; then
        say "engine: the installer failed: $(tail -n 1 engine/bin/install.log)"
        return 1
    fi
    say "engine/bin/nextflow, $(size engine/bin "${NXF_HOME:-$HOME/.nextflow}/framework")"
    echo "$root/engine/bin/nextflow" >engine/.choice
}

jars() {
    local key; key=$(sha256sum <engine/pom.xml)
    [[ $(cat engine/jars/.done 2>/dev/null) == "$key" ]] && return
    local mvn=mvn start=$SECONDS
    if ! command -v mvn >/dev/null; then
        mvn=$venvs/maven/bin/mvn
        [[ -x $mvn ]] || bootstrap_maven
    fi
    say "engine: resolving Nextflow 25.04.4 with Maven"
    rm -rf engine/jars
    "$mvn" -B -ntp -q -Dstyle.color=never -f engine/pom.xml package ||
        die "Maven could not resolve engine/pom.xml: is there a way to Maven Central? A mirror is named in ~/.m2/settings.xml"
    echo "$key" >engine/jars/.done
    say "engine: $(find engine/jars -name '*.jar' | wc -l) jars, $(size engine/jars), $((SECONDS - start)) s"
}

bootstrap_maven() {
    local home=$venvs/maven archive
    say "engine: no mvn on this machine (apt-get install maven): fetching Maven itself"
    uv
    rm -rf "$home" && mkdir -p "$home"
    archive=$home/maven.tar.gz
    if ! { "$venvs/uv/bin/uv" tool run -q --python "${PYTHON:-python3.11}" --from maven-artifact==0.3.5 \
               maven-artifact "$maven" "$archive" >/dev/null && sha512sum --quiet -c <<<"$maven_sha512  $archive"; }; then
        die "Maven could not be fetched: install it (apt-get install maven) or Nextflow (https://nextflow.io), then try again"
    fi
    tar -xzf "$archive" -C "$home" --strip-components 1
    rm "$archive"
}

from_maven() { jars; echo jars >engine/.choice; }

# engine/nextflow: a fitting `nextflow` on PATH, else the official installer, else the jars of pom.xml.
engine() {
    local java key choice target version
    java=${JAVA_CMD:-${JAVA_HOME:+$JAVA_HOME/bin/}java}
    "$java" -version >/dev/null 2>&1 ||
        die "Nextflow needs Java 17 and '$java' does not run: apt-get install openjdk-17-jre-headless, or point JAVA_CMD at one"

    # Quick when there is nothing to do: the same wish as last time, and what was chosen is still there.
    key="$from ${NXF_VER:-} $(sha256sum <engine/pom.xml)"
    if [[ -f engine/.choice && $(cat engine/.done 2>/dev/null) == "$key" ]]; then
        choice=$(cat engine/.choice)
        [[ $choice == jars ]] && target=engine/jars/.done || target=$choice
        if [[ -e $target ]]; then say "engine: ready ($choice)"; return; fi
    fi
    rm -f engine/.done
    case $from in
        any)       from_path || from_installer || from_maven ;;
        path)      from_path || die "no nextflow >= $oldest on PATH answers" ;;
        installer) from_installer || die "the installer did not work; NXF_FROM=maven may" ;;
        maven)     from_maven ;;
        *)         die "NXF_FROM is path, installer or maven, not '$from'" ;;
    esac
    version=$(answer engine/nextflow 120 || true)
    if [[ -z $version ]]; then engine/nextflow -version || true; die "engine/nextflow does not answer"; fi
    echo "$key" >engine/.done
    say "engine/nextflow answers: $version"
}

# Tests run in the environment of what they test. Beside pytest, an FTP server to fetch from, a validator of OME-Zarr, PyTorch's
# networks and BaSiCPy to compare ours with (it computes the same beside a newer NumPy and SciPy than it declares, hence
# --no-deps), files of tests two at a time, and a browser driven: the browser itself is the machine's (.ci/browser).
add_tests() {
    for tool in cellpose volume; do TORCH=yes install $tool; done
    say "tests: pytest, pytest-xdist, ruff, pyftpdlib, ome-zarr-models, basicpy, playwright, duckdb"
    uv pip install -q --python "$venvs/uv/bin/python" ruff==0.17.5 ty==0.0.108
    for tool in acquire cellpose deepprofiler profiles volume; do
        uv pip install -q --python "$venvs/$tool/bin/python" pytest==9.2.0 pytest-xdist==3.8.0
    done
    uv pip install -q --python "$venvs/acquire/bin/python" pyftpdlib==2.2.0 ome-zarr-models==1.7
    uv pip install -q --python "$venvs/cellpose/bin/python" pooch==1.9.0 pydantic==2.14.3 dask==2026.8.0
    uv pip install -q --python "$venvs/cellpose/bin/python" --no-deps basicpy==2.0.0 torch-dct==0.1.6
    uv pip install -q --python "$venvs/profiles/bin/python" playwright==1.65.2 duckdb==2.0.0
}

# Every requirements.txt anew from its requirements.in; with --check only whether one has fallen behind. Pins stay where
# requirements.in still allows them: to move one, delete its line (or the lock) first.
lock() {
    local scratch command behind=0
    scratch=$(mktemp -d)
    for tool in containers/*/requirements.in; do
        tool=${tool%/*} tool=${tool#*/}
        command='uv pip compile --python-version 3.11 --generate-hashes requirements.in'
        [[ ! -f containers/$tool/overrides.txt ]] || command+=' --override overrides.txt'
        cp "containers/$tool/requirements.txt" "$scratch/$tool.txt" 2>/dev/null || true
        (cd "containers/$tool" && uv ${command#uv } --quiet --no-emit-index-url --no-emit-package openvino-telemetry \
            --custom-compile-command "$command -o requirements.txt" -o "$scratch/$tool.txt" >/dev/null)
        if [[ ${1:-} != --check ]]; then
            cp "$scratch/$tool.txt" "containers/$tool/requirements.txt"
        elif ! diff -u "containers/$tool/requirements.txt" "$scratch/$tool.txt"; then
            say "containers/$tool/requirements.txt is behind its requirements.in: make locks"
            behind=1
        fi
    done
    rm -rf "$scratch"
    return $behind
}

case ${1:-} in
    lock)  uv; lock "${2:-}" ;;
    tests) add_tests ;;
    engine) engine ;;
    jars)  jars ;;
    *)     for tool in "$@"; do install "$tool"; done ;;
esac
