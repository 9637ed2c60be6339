# AccountLookup: fields of an account that come from the site's own tables, by server.
# matrix: db

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;

my $contract = <<'END';
<AccountContract c>
    AccountReply ok 200 '{"id": %{account.id}, "a": %{account.extra.a}, "b": %{account.extra.b}, "orders": %{account.extra.orders}, "own": %{account.extra.own}}'
    AccountReply * 200 '{"error": "%{outcome}"}'
    <AccountRoute login POST /login>
        AccountAction login
        AccountParam account user
        AccountParam password password
    </AccountRoute>
    <AccountRoute register POST /register>
        AccountAction register
        AccountSet then login
        AccountParam user_name user
        AccountParam password password
        AccountParam extra.own own
    </AccountRoute>
    <AccountRoute me GET /me>
        AccountAction current
    </AccountRoute>
    <AccountRoute plain GET /plain>
        AccountAction current
        AccountReply ok 200 '{"id": %{account.id}}'
    </AccountRoute>
</AccountContract>
END
my $server = Account::Server->new(
    mounts => $contract . "AccountMount /c c\n" . <<'END',
AccountLookup a,b "SELECT 1, 'two'"
AccountLookup orders "SELECT COUNT(*) FROM shop_order WHERE customer = %{account.id}"
END
    vhost => [ "ServerName a.test\n", qq[ServerName b.test\nAccountLookup b "SELECT 'three'"\n],
        qq[ServerName c.test\nAccountLookup orders "SELECT amount FROM shop_order WHERE customer = %{account.id} AND amount > 100"\n] ])->start;
my %at = map { $_ => { headers => { Host => "$_.test" } } } qw(a b c);

my $jar = Account::Jar->new;
my $r = $server->post('/c/register', form => { user => 'geely', password => canary('geely-Pass-1'), own => 'mine' }, cookie => $jar, %{ $at{a} });
is($r->{status}, 200, 'what was asked for has been done, also when a table is not there') or diag($r->{text});
is_deeply([ @{ $r->{json} }{qw(orders own)} ], [ undef, 'mine' ], 'but can\'t be shown whole');
ok($jar->get('account_session'), 'and its session has begun');
$r = $server->get('/c/me', cookie => $jar, %{ $at{a} });
is_deeply($r->{json}, { error => 'unavailable' }, 'a reply that is about it is a failure') or diag($r->{text});
is($r->{status}, 503, 'of the machine');

$server->sql('CREATE TABLE shop_order (customer BIGINT NOT NULL, amount BIGINT NOT NULL)');
$r = $server->post('/c/login', form => { user => 'geely', password => 'geely-Pass-1' }, cookie => $jar, %{ $at{a} });
my $id = $r->{json}{id} or diag($r->{text});
is_deeply($r->{json}, { id => $id, a => 1, b => 'two', orders => 0, own => 'mine' }, 'an account with its fields') or diag($r->{text});
$server->sql("INSERT INTO shop_order VALUES ($id, 20), ($id, 120), (" . ($id + 1) . ', 7)');
is_deeply($server->get('/c/me', cookie => $jar, %{ $at{a} })->{json}, { id => $id, a => 1, b => 'two', orders => 2, own => 'mine' },
    'read anew at each request');
is_deeply($server->get('/c/me', cookie => $jar, %{ $at{b} })->{json}, { id => $id, a => 1, b => 'three', orders => 2, own => 'mine' },
    'a virtual host fills one of two fields itself and inherits the rest');
is_deeply($server->get('/c/me', cookie => $jar, %{ $at{c} })->{json}, { id => $id, a => 1, b => 'two', orders => 120, own => 'mine' },
    'another one asks something else');
$server->sql("DELETE FROM shop_order WHERE customer = $id");
is($server->get('/c/me', cookie => $jar, %{ $at{a} })->{json}{orders}, 0, 'nothing counted');
is($server->get('/c/me', cookie => $jar, %{ $at{c} })->{json}{orders}, undef, 'no row is null');
$server->sql('DROP TABLE shop_order');
is_deeply($server->get('/c/plain', cookie => $jar, %{ $at{a} })->{json}, { id => $id }, 'a reply that shows none asks for none');
is($server->get('/c/me', cookie => $jar, %{ $at{a} })->{status}, 503, 'one that does fails with them');
done();
