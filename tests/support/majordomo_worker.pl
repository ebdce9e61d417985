#!/usr/bin/perl
# A Majordomo 0.1 worker in Perl, from the ZeroMQ guide's description: answers each request with its
# last frame in capitals. Usage: majordomo_worker.pl ADDRESS SERVICE
use strict;
use warnings;
use ZMQ::FFI qw(ZMQ_DEALER);

use constant {READY => "\x01", REQUEST => "\x02", REPLY => "\x03", HEARTBEAT => "\x04",
              DISCONNECT => "\x05"};

my ($address, $service) = @ARGV;
my $context = ZMQ::FFI->new();
my $dealer;

sub begin {
    $dealer->close() if $dealer;
    $dealer = $context->socket(ZMQ_DEALER);
    $dealer->set_linger(0);
    $dealer->connect($address);
    $dealer->send_multipart(["", "MDPW01", READY, $service]);
}

begin();
my $beat_at = time + 2;
while (1) {
    if ($dealer->has_pollin) {
        my ($empty, $header, $command, @rest) = $dealer->recv_multipart();
        die "not Majordomo" unless $empty eq "" and $header eq "MDPW01";
        if ($command eq REQUEST) {
            my ($client, undef, @body) = @rest;
            $dealer->send_multipart(["", "MDPW01", REPLY, $client, "", uc $body[-1]]);
        }
        begin() if $command eq DISCONNECT;
        next;
    }
    if (time >= $beat_at) {
        $dealer->send_multipart(["", "MDPW01", HEARTBEAT]);
        $beat_at = time + 2;
    }
    select(undef, undef, undef, 0.005);
}
