# matrix: once
#
# Every contract there is passes `apachectl configtest` when it is defined: those that ship (conf/contracts) and
# those whose actions are still to be written (t/drafts). Mounting one of these is a clear error.

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;

sub name_of { my ($file) = @_; return $file =~ m{([^/]+)\.conf\z} ? $1 : die "$file?\n" }

my @shipped = sort glob "$ROOT/conf/contracts/*.conf";
my %shipped = map { name_of($_) => 1 } @shipped;
my @drafts  = grep { !$shipped{ name_of($_) } } sort glob "$ROOT/t/drafts/*.conf";
ok(@shipped > 0, 'there are contracts');

for my $file (@shipped, @drafts) {
    my $name = name_of($file);
    my ($status, $said) = configtest("Include $file\n", contracts => 0);
    is($status, 0, "$name passes") or diag($said);
    my ($first) = split /\n/, slurp($file);
    like($first, qr/^# .*\bAccountMount \S+ \Q$name\E$/, "$name: the first line says how to mount it");
}

my ($status, $said) = configtest(join('', map { "Include $_\n" } @drafts));
is($status, 0, 'all of them pass together') or diag($said);

for my $file (@shipped) {
    my ($mount) = slurp($file) =~ /(AccountMount .*)/;
    ($status, $said) = configtest("Include $file\n$mount\n", contracts => 0);
    is($status, 0, name_of($file) . ' can be mounted') or diag($said);
}

for my $file (@drafts) {
    my ($mount) = slurp($file) =~ /(AccountMount .*)/;
    ($status, $said) = configtest("Include $file\n$mount\n", contracts => 0);
    like($said, qr/which this version does not have/, name_of($file) . ' cannot be mounted yet');
}
done();
