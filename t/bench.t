# matrix: once
#
# The short form of t/bench/run: that it runs, and that what it prints are figures. How good they are is not asked: a
# build does not fail for time.

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;

my $out = temp_dir('bench') . '/out';
my $run = Account::Process->spawn(command => [ $^X, "$ROOT/t/bench/run", '--quick' ], output => $out, limit => 280);
is($run->wait_for(290), 0, 'runs');
my $text = slurp($out);
utf8::decode($text);
note($text);
note("shown: $_") for map { /^\| [^|]+ \| (?!---|not measured)/ && !/\| not measured \|/ ? $_ : () } split /\n/, $text;

unlike($text, qr/^not measured: /m, 'every part');
unlike($text, qr/uninitialized|isn't numeric|HASH\(0x| at \S+ line \d+/, 'no nonsense');
like($text, qr/^\Q$_\E$/m, "has: $_") for '# How fast it is', '## What was to be reached', '## Session checks', '## Instructions', '## Logins',
    '## Many accounts', '## Many hosts';

# [cells] of the rows that begin so
sub row { my ($name) = @_; return map { [ map { s/^\s+|\s+$//gr } split /\|/ ] } $text =~ /^\| (\Q$name\E\b.*) \|$/mg }
sub number { my ($cell) = @_; return ($cell // '') =~ /^([\d ]*\d(?:\.\d+)?)/ ? $1 =~ tr{ }{}dr : 0 }

for ('a handler that returns the same bytes', 'a static file of the same bytes', 'mod_account: get_user_info, as it comes',
    'mod_account: get_user_info, AccountCache off, SQLite', 'mod_account: a static file beside it', 'mod_account: a static file behind Require account') {
    my ($cells) = row($_);
    ok($cells && number($cells->[1]) > 10 && number($cells->[3]) > 0 && number($cells->[4]) > 0, "$_: a rate and two ratios");
    ok($cells && number($cells->[7]) > 100, "$_: a whole reply");
}
my ($null) = row('null handler');
cmp_ok(number($null->[1]), '>', 5000, 'instructions of the null handler');
for ('get_user_info, as it comes, sqlite3', 'get_user_info, AccountCache off, sqlite3', 'guarded file, as it comes, sqlite3',
    'open file beside mod_account', 'static file') {
    my $cells = (row($_))[-1];
    cmp_ok(number($cells->[1]), '>', 5000, "instructions: $_");
}
for ('logged-in check, cache warm, against the null handler', 'the same against the static file', 'check, cache off, SQLite',
    'static file behind Require account against the open file', 'logins a second against argon2id alone', 'a static file meanwhile',
    'a session check meanwhile', 'check at', 'login at', 'register at') {
    my ($cells) = row($_);
    like($cells->[2] // '', qr/^\d/, "measured: $_");
}
like($text, qr/: [1-9]\d* logins, \d+ told to wait \(503 with Retry-After\), 0 failed/, 'the crowd was let in, and nobody failed');
done();
