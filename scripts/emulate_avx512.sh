#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs unit tests on the AVX-512 path where no CPU has it: in Bochs, which emulates a Skylake-X, under a Linux kernel with
# nothing but the test in its memory. About 50 million instructions a second: minutes to hours.
#   scripts/emulate_avx512.sh [-j N] [-t MINUTES] [--all-isas] [TEST[:FILTER]...]
#     -j N         machines emulated at a time, one for each test (default: the number of CPUs)
#     -t MINUTES   the most that one of them may take (default 240)
#     --all-isas   the tests run on the scalar and AVX2 paths too, as they do elsewhere
#     TEST:FILTER  logsumexp is test_unit_logsumexp; FILTER is one of GoogleTest (default: a choice of tests)
# Debian alone: takes the emulator, the boot loader and the kernel from its packages (installs what is missing as root).
# Leaves logs and a kernel in build/avx512.
set -euo pipefail
cd "$(dirname "$0")/.."

# What exercises every kernel, at lengths that an emulator gets through.
default_tests=(core_context core_dtype logsumexp softmax lse_state cross_entropy linear
  'topk:-*LongRows:*ExcludedIds:*EveryKindAgainstSorting:*WarmWorkspace*')
jobs=$(nproc) minutes=240 isa=avx512 tests=()
while [ $# -gt 0 ]; do
  case $1 in
  -j) jobs=${2:?"-j needs a number"}; shift ;;
  -t) minutes=${2:?"-t needs a number"}; shift ;;
  --all-isas) isa= ;;
  -h | --help) sed -n '3,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
  -*) echo "emulate_avx512.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  *) tests+=("$1") ;;
  esac
  shift
done
if [ ${#tests[@]} -eq 0 ]; then tests=("${default_tests[@]}"); fi

packages=(bochs bochs-sdl bochsbios vgabios isolinux syslinux-common xorriso cpio busybox-static)
installed() { dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }
missing=()
for package in "${packages[@]}"; do installed "$package" || missing+=("$package"); done
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "emulate_avx512.sh: please run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  apt-get -q update
  DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"
fi

scripts/setup.sh
cmake --preset release >/dev/null
targets=()
for test in "${tests[@]}"; do targets+=("test_unit_${test%%:*}"); done
cmake --build --preset release -j "$(nproc)" --target "${targets[@]}"

work=$PWD/build/avx512
mkdir -p "$work"
if [ ! -e "$work/vmlinuz" ]; then # unpacked, not installed: it is for the emulated machine
  kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
  if [ -z "$kernel" ]; then
    echo "emulate_avx512.sh: no package linux-image-cloud-amd64 (not Debian, or apt-get update was never run)" >&2
    exit 1
  fi
  rm -rf "$work/kernel"
  mkdir "$work/kernel"
  (cd "$work/kernel" && apt-get -q download "$kernel" && dpkg -x ./*.deb .)
  mv "$work"/kernel/boot/vmlinuz-* "$work/vmlinuz"
  rm -rf "$work/kernel"
fi

# run_one TEST[:FILTER] DIR: makes a CD with the kernel and the test's files, and boots it.
run_one() {
  local name=${1%%:*} filter='*' dir=$2
  case $1 in *:*) filter=${1#*:} ;; esac
  local binary=$PWD/build/release/bin/test_unit_$name root=$dir/root file
  rm -rf "$dir"
  mkdir -p "$root"/{bin,dev,proc,tmp} "$dir/cd"
  cp /bin/busybox "$root/bin/"
  strip -o "$root/test" "$binary"
  while read -r file; do
    mkdir -p "$root$(dirname "$file")"
    cp -L "$file" "$root$file"
  done < <(ldd "$binary" | grep -o '/[^ ]*')
  mkdir -p "$root$PWD/tests"
  cp -r tests/vectors "$root$PWD/tests/"
  cat >"$root/init" <<INIT
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
exec >/dev/ttyS0 2>&1
${isa:+export VMX_TEST_ISA=$isa}
/test --gtest_brief=1 --gtest_color=no --gtest_filter='$filter'
echo "exit status \$?"
/bin/busybox sleep 1 # until all is sent
/bin/busybox poweroff -f
INIT
  chmod +x "$root/init"
  (cd "$root" && find . | cpio -o -H newc --quiet >"$dir/cd/initrd")
  cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$work/vmlinuz" "$dir/cd/"
  # Without XSAVES and XSAVEC, whose sizes Bochs 2.7 tells in a way that makes Linux do without AVX altogether.
  cat >"$dir/cd/isolinux.cfg" <<'CONFIG'
default linux
label linux
kernel /vmlinuz
append initrd=/initrd console=ttyS0,115200 quiet panic=-1 mitigations=off tsc=reliable clearcpuid=xsaves,xsavec
CONFIG
  xorriso -as mkisofs -quiet -o "$dir/boot.iso" -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 \
    -boot-info-table "$dir/cd" 2>/dev/null
  rm -rf "$root" "$dir/cd"
  cat >"$dir/bochsrc" <<CONFIG
config_interface: textconfig
display_library: sdl2
cpu: model=corei7_skylake_x, ips=50000000, ignore_bad_msrs=1, reset_on_triple_fault=0
memory: guest=1024, host=1024
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=/usr/share/vgabios/vgabios.bin
ata0-master: type=cdrom, path=$dir/boot.iso, status=inserted
boot: cdrom
clock: sync=none
com1: enabled=1, mode=file, dev=$dir/serial
speaker: enabled=0
sound: driver=dummy
log: $dir/bochs.log
panic: action=fatal
CONFIG
  printf 'c\nq\n' >"$dir/debugger" # Debian's Bochs has its debugger built in: go on
  SDL_VIDEODRIVER=dummy timeout -k 10 "${minutes}m" bochs -q -f "$dir/bochsrc" -rc "$dir/debugger" \
    </dev/null >"$dir/bochs.out" 2>&1 || true
  rm -f "$dir/boot.iso"
  grep -q '^exit status 0' "$dir/serial"
}

started=$SECONDS failed=0 number=0
finish() { # the oldest of those that run
  local status=passed
  wait "${running[0]}" || { status=FAILED; failed=$((failed + 1)); }
  echo "== ${names[0]}: $status, after $(((SECONDS - started) / 60)) min"
  if [ -e "${dirs[0]}/serial" ]; then tr -d '\r' <"${dirs[0]}/serial" | grep -v '^\[ *[0-9.]*\] ' | tail -n 100; fi
  running=("${running[@]:1}") names=("${names[@]:1}") dirs=("${dirs[@]:1}")
}
running=() names=() dirs=()
for test in "${tests[@]}"; do
  if [ ${#running[@]} -ge "$jobs" ]; then finish; fi
  number=$((number + 1))
  dir=$work/$number-${test%%:*}
  run_one "$test" "$dir" &
  running+=($!) names+=("$test") dirs+=("$dir")
done
while [ ${#running[@]} -gt 0 ]; do finish; done
echo "$((${#tests[@]} - failed)) passed, $failed failed"
[ $failed -eq 0 ]
