"""Command line `chasqui`. Exit codes: 0 done, 1 failed (one clear line on stderr), 2 wrong usage."""

import click

from worker import __version__, log
from worker.operate.commands import customers, database, dead, messages, orders, report, service
from worker.operate.commands.cache import cache
from worker.operate.commands.circuits import circuits
from worker.operate.commands.doctor import doctor
from worker.operate.commands.explain import explain
from worker.operate.commands.shop import shop
from worker.operate.commands.terminal import Group, fill_standard_streams
from worker.settings import settings

COMMANDS = (
    service.demo,
    service.up,
    service.intake,
    service.metrics,
    service.dashboard,
    messages.send,
    messages.enqueue,
    report.report,
    doctor,
    circuits,
    cache,
    dead.dead,
    orders.orders,
    customers.people,
    customers.resume,
    customers.erase,
    shop,
    explain,
    database.db,
    database.catalog,
)


@click.group(
    cls=Group, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="chasqui")
def main() -> None:
    """Chasqui answers a supermarket's WhatsApp customers.

    A gateway puts what customers write into the Redis stream whatsapp:inbound and takes replies from
    whatsapp:outbound. Servers and keys come from the environment (DATABASE_URL, REDIS_URL, OPENAI_API_KEY, ...);
    PostgreSQL and Redis are started under ./.chasqui where no URL is set.

    \b
    Try it:      chasqui demo
    Run it:      chasqui up          (in another terminal: chasqui send --from 5491122334455 "hola")
    """
    fill_standard_streams()
    configured = settings()
    log.configure(configured.log_format, configured.log_level)
