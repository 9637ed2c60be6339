# What a test file starts with:
#
#     use lib 't/lib';
#     use Account::Test;                            # strict, warnings, utf8, Test::More
#     my $server = Account::Server->new->start;     # see Account/Server.pm; databases: Account/MariaDB.pm
#     my $jar = Account::Jar->new;
#     my $r = $server->post('/user/login.do', form => { password => canary('s3cret') }, cookie => $jar);
#     is($r->{json}{status}, 0, 'logs in');         # see Account::Client::request
#     done();
#
# All servers end with the test. done() looks for every canary in every log, and for crashes.
# A comment line says how often ./check runs the file: "# matrix: all" (event and prefork x sqlite3 and
# mysql), "# matrix: db" (event x both) or "# matrix: once"; "# alone": with nothing beside it.
package Account::Test;
use strict;
use warnings;
use utf8;
use Account::Client;
use Account::MariaDB;
use Account::Process qw($ROOT temp_dir slurp spew wait_until);
use Account::Server;
use Carp 'croak';
use Exporter ();
use JSON::PP ();
use MIME::Base64 'encode_base64';
use POSIX ();
use Test::More;

our @EXPORT = (@Test::More::EXPORT,
    qw($ROOT temp_dir slurp spew wait_until canary concurrent configtest no_secret_in_logs no_crash_in_logs done));

Account::Process::drop_root();
my $json = JSON::PP->new->utf8->allow_nonref->allow_blessed;
my $owner = $$;
my %canaries = (Account::MariaDB::PASSWORD() => 1);

sub import {
    $_->import for qw(strict warnings utf8);
    my $builder = Test::More->builder;
    binmode $builder->$_, ':utf8' for qw(output failure_output todo_output);
    goto &Exporter::import;
}

# A secret: this one, or a new one. Returns it, and done() fails if it appears in any log.
sub canary {
    my ($secret) = @_;
    $secret //= 'Canary-' . join '', map { ('a' .. 'z', 0 .. 9)[ rand 36 ] } 1 .. 16;
    length $secret >= 6 or croak "'$secret' is too short to be looked for in logs";
    $canaries{$secret} = 1;
    return $secret;
}

# `apachectl configtest` of a server with this text at the end: (exit status, output). mounts: none unless given.
sub configtest {
    my ($conf, %opt) = @_;
    my $server = Account::Server->new(mounts => '', %opt, conf => $conf);
    pop @Account::Server::all;    # it never ran: no logs
    return $server->configtest;
}

# Calls the sub in N processes at the same moment, with 0 .. N-1; the N results (anything JSON can say).
sub concurrent {
    my ($count, $sub, $timeout) = @_;
    pipe my $gate, my $barrier or croak "pipe: $!";
    my @running;
    for my $i (0 .. $count - 1) {
        pipe my $read, my $write or croak "pipe: $!";
        my $pid = fork // croak "fork: $!";
        if (!$pid) {
            Account::Process::forget();
            close $barrier;
            alarm($timeout // 60);
            srand;
            sysread $gate, my $nothing, 1;    # until the parent has started all
            $_->{fetched} = '' for @Account::Server::all;
            my $result = eval { [ $sub->($i) ] };
            my %answer = $result ? (result => $result->[0]) : (died => "$@");
            %answer = (%answer, canaries => [ keys %canaries ],
                fetched => [ map { $_->{fetched} } @Account::Server::all ]);
            print $write $json->encode(\%answer);
            close $write;
            POSIX::_exit(0);
        }
        push @running, [ $pid, $read ];
    }
    close $barrier;
    my (@results, @died);
    for my $i (0 .. $#running) {
        my ($pid, $read) = @{ $running[$i] };
        my $text = do { local $/; <$read> };
        waitpid $pid, 0;
        my $answer = eval { $json->decode($text) } || { died => 'ended without an answer, or too late' };
        push @died, "process $i: $answer->{died}" if exists $answer->{died};
        push @results, $answer->{result};
        canary($_) for @{ $answer->{canaries} || [] };
        $Account::Server::all[$_]{fetched} .= $answer->{fetched}[$_] for 0 .. $#{ $answer->{fetched} || [] };
    }
    croak join "\n", @died if @died;
    return @results;
}

# The forms in which a secret could stand in a text that was not decoded: itself and base64 at any offset.
sub forms_of {
    my ($secret) = @_;
    utf8::encode($secret) if utf8::is_utf8($secret);
    return qr/(?<![\d.])$secret(?!\d)/ if $secret =~ /\A\d{1,9}\z/;    # a code, not part of some larger number
    my @forms = ($secret);
    for my $offset (0 .. 2) {
        my $base64 = encode_base64('x' x $offset . $secret, '');
        $base64 =~ s/=+\z//;
        my $tail = (length($secret) + $offset) % 3 ? 1 : 0;            # the last character holds bits of what follows
        $base64 = substr $base64, (0, 2, 3)[$offset], length($base64) - (0, 2, 3)[$offset] - $tail;
        (my $url = $base64) =~ tr{+/}{-_};
        push @forms, $base64, $url;
    }
    my $any = join '|', map { quotemeta } @forms;
    return qr/$any/;
}

# The same log as it stands, without httpd's escapes, and URL-decoded.
sub readings_of {
    my ($text) = @_;
    $text =~ s/^\[[^\]]*\] \[[^\]]*\] \[pid \d+(?::tid \d+)?\]//mg;    # numbers that mean nothing
    $text =~ s/^[+-][0-9a-f]+:[0-9a-f]+:[0-9a-f]+//mg;
    (my $plain = $text) =~ s/\\(?:x([0-9a-f]{2})|(["\\]))/defined $1 ? chr hex $1 : $2/gei;
    (my $url = $plain) =~ s/%([0-9a-f]{2})/chr hex $1/gei;
    (my $form = $url) =~ tr/+/ /;
    return ($text, $plain, $url, $form);
}

sub no_secret_in_logs {
    my (@found, %seen);
    for my $server (@Account::Server::all) {
        $server->request(GET => '/server-status', timeout => 5) if $server->running;
        my $logs = $server->logs;
        my @readings = map { my $name = $_; map { [ $name, $_ ] } readings_of($logs->{$name}) } sort keys %$logs;
        for my $secret (sort keys %canaries) {
            my $form = forms_of($secret);
            for (@readings) {
                my ($name, $text) = @$_;
                next if $text !~ $form || $seen{"$server $name $secret"}++;
                my ($line) = grep { $_ =~ $form } split /\n/, $text;
                push @found, "'$secret' in $name: " . substr $line // '', 0, 1000;
            }
        }
    }
    utf8::decode($_) for @found;
    ok(!@found, 'no secret in any log') or diag(join "\n", @found);
}

sub no_crash_in_logs {
    my $bad = qr/AH0005[012]|exit signal|segfault|segmentation fault|assert|AddressSanitizer|runtime error:
        |stack smashing|double free|corrupt|has overflowed|symbol lookup error/xi;
    my @found;
    for my $server (@Account::Server::all) {
        my $logs = $server->logs;
        my $allow = $server->{allow} // qr/(?!)/;
        push @found, grep { $_ =~ $bad && $_ !~ $allow } map { split /\n/, $logs->{$_} // '' } qw(error_log output);
    }
    ok(!@found, 'no crash in any log') or diag(join "\n", @found);
}

sub done {
    no_secret_in_logs();
    no_crash_in_logs();
    done_testing();
}

END {
    if ($owner == $$ && !Test::More->builder->is_passing || $owner == $$ && $?) {
        local ($?, $!);
        diag("\nthe last lines of $_->{dir}/logs/error_log:\n" . $_->last_lines(40)) for @Account::Server::all;
    }
}

1;
