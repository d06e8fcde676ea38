"""What the shop sells, and what it remembers of each sale."""

from django.conf import settings
from django.db import models


class Product(models.Model):
    name = models.CharField(max_length=50)
    price = models.IntegerField(help_text="in cents")
    stock = models.PositiveIntegerField()

    def __str__(self):
        return self.name


class Voucher(models.Model):
    code = models.CharField(max_length=20, primary_key=True)
    percent = models.PositiveIntegerField()
    max_uses = models.PositiveIntegerField()
    used = models.PositiveIntegerField(default=0)
    discount_given = models.PositiveIntegerField(default=0, help_text="in cents")


class Redemption(models.Model):
    """One use of a voucher. The voucher's counter says how many there are."""

    voucher = models.ForeignKey(Voucher, on_delete=models.PROTECT)
    email = models.EmailField()


class Event(models.Model):
    name = models.CharField(max_length=50)
    seats = models.PositiveIntegerField()


class Reservation(models.Model):
    event = models.ForeignKey(Event, on_delete=models.PROTECT)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)


class Basket(models.Model):
    """What a guest has chosen. The session holds its id."""

    voucher = models.ForeignKey(Voucher, on_delete=models.PROTECT, null=True)
    is_open = models.BooleanField(default=True)


class BasketLine(models.Model):
    basket = models.ForeignKey(Basket, on_delete=models.PROTECT, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField()


class Address(models.Model):
    name = models.CharField(max_length=50)
    email = models.EmailField()
    street = models.CharField(max_length=50)
    city = models.CharField(max_length=50)


class ShippingMethod(models.Model):
    name = models.CharField(max_length=50)
    price = models.IntegerField(help_text="in cents")

    def __str__(self):
        return self.name


class Order(models.Model):
    """It is a draft from the address on, and placed by the checkout."""

    basket = models.OneToOneField(Basket, on_delete=models.PROTECT)
    address = models.ForeignKey(Address, on_delete=models.PROTECT)
    shipping = models.ForeignKey(ShippingMethod, on_delete=models.PROTECT, null=True)
    status = models.CharField(max_length=10, default="draft")
    total = models.IntegerField(default=0, help_text="in cents")
    placed_at = models.DateTimeField(null=True)


class OrderLine(models.Model):
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField()
    price = models.IntegerField(help_text="of one, in cents")


class StockMovement(models.Model):
    """Goods that have left the stock. The product's counter says what is still there."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    order = models.ForeignKey(Order, on_delete=models.PROTECT)
    quantity = models.IntegerField()


class Payment(models.Model):
    order = models.ForeignKey(Order, on_delete=models.PROTECT)
    amount = models.IntegerField(help_text="in cents")
    status = models.CharField(max_length=10, default="authorised")


class AuditEntry(models.Model):
    order = models.ForeignKey(Order, on_delete=models.PROTECT)
    text = models.CharField(max_length=100)


class Mail(models.Model):
    """A message that a job sends later. So it is sent only if the order is kept."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT)
    recipient = models.EmailField()
    subject = models.CharField(max_length=100)
