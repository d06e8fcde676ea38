"""Makes the rows that the scenarios begin with. A row that is there already stays as it is."""

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand

from deposits.models import Account
from store.models import Event, Product, ShippingMethod, Voucher

PRODUCTS = [(1, "Lamp", 4900), (2, "Chair", 12900), (3, "Table", 39900), (4, "Rug", 8900)]


class Command(BaseCommand):
    help = __doc__

    def handle(self, **options):
        Account.objects.get_or_create(pk=1)

        for pk, name, price in PRODUCTS:
            defaults = {"name": name, "price": price, "stock": 10}
            Product.objects.get_or_create(pk=pk, defaults=defaults)

        # ONCE is redeemed directly, and SPRING is applied to a basket.
        Voucher.objects.get_or_create(pk="ONCE", defaults={"percent": 50, "max_uses": 1})
        Voucher.objects.get_or_create(pk="SPRING", defaults={"percent": 10, "max_uses": 100})
        ShippingMethod.objects.get_or_create(pk=1, defaults={"name": "Parcel", "price": 590})
        Event.objects.get_or_create(pk=1, defaults={"name": "Concert", "seats": 1})

        for username in ("c1", "c2"):
            if not User.objects.filter(username=username).exists():
                User.objects.create_user(username, password="an example, and no secret")
