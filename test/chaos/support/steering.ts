// SPDX-License-Identifier: MIT
// Steers each datagram to a random socket of a SO_REUSEPORT group, as a load balancer without memory would. The program (classic BPF: load
// the kernel's random number, modulo the number of edges, return it) is a property of the group and stays with it while one of its
// sockets lives; where it names a socket that is not there, the kernel goes back to its hash. Node has no setsockopt, so that Perl, which
// is part of every Debian, joins the group, attaches it and leaves. Linux on 64 bits only.
import { execFileSync } from 'node:child_process'
import { type Availability, findProgram } from '@tandem/test-kit'

const SCRIPT = `
use strict; use Socket;
my ($address, $port, $sockets) = @ARGV;
my ($SO_REUSEPORT, $SO_ATTACH_REUSEPORT_CBPF) = (15, 51);
socket(my $socket, AF_INET, SOCK_DGRAM, 0) or die "socket: $!";
setsockopt($socket, SOL_SOCKET, $SO_REUSEPORT, pack('i', 1)) or die "SO_REUSEPORT: $!";
bind($socket, pack_sockaddr_in($port, inet_aton($address))) or die "bind: $!";
my @load = (0x20, 0, 0, 0xfffff000 + 56);
my @modulo = (0x94, 0, 0, $sockets);
my @return = (0x16, 0, 0, 0);
my $program = pack('SCCL' x 3, @load, @modulo, @return);
setsockopt($socket, SOL_SOCKET, $SO_ATTACH_REUSEPORT_CBPF, pack('S x6 P', 3, $program)) or die "attach: $!";
`

export function steeringAvailable(): Availability {
  return findProgram(['perl'], 'perl')
}

/** The edges must listen already, and as the same user. Throws with what the kernel said. */
export function steerAtRandom(address: string, port: number, sockets: number): void {
  const perl = steeringAvailable()
  if (!perl.available) throw new Error(perl.reason)
  execFileSync(perl.path, ['-e', SCRIPT, address, String(port), String(sockets)], { stdio: ['ignore', 'pipe', 'pipe'] })
}
