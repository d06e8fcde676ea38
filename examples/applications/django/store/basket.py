"""The pages before the checkout: product, basket, voucher, address, shipping method.

Nothing here is explored. A scenario makes these requests once, as `before`.
"""

from django.shortcuts import get_object_or_404, redirect, render

from .answers import form_page
from .forms import AddForm, AddressForm, ShippingForm, VoucherForm
from .models import Basket, Order, Product


def index(request):
    return render(request, "store/index.html", {"products": Product.objects.order_by("pk")})


def product(request, pk):
    shown = get_object_or_404(Product, pk=pk)
    form = AddForm(initial={"product": shown})
    return render(request, "store/form.html", {"title": shown, "form": form, "to": "/basket/add/"})


def add(request):
    form = AddForm(request.POST or None)
    if not form.is_valid():
        return form_page(request, "Add to the basket", form)

    open_basket(request).lines.create(**form.cleaned_data)
    return redirect("/basket/voucher/")


def voucher(request):
    form = VoucherForm(request.POST or None)
    if not form.is_valid():
        return form_page(request, "Apply a voucher", form)

    basket = open_basket(request)
    basket.voucher = form.cleaned_data["code"]
    basket.save()
    return redirect("/address/")


def address(request):
    """The guest's address. With it there is an order, which is a draft."""
    form = AddressForm(request.POST or None)
    if not form.is_valid():
        return form_page(request, "Where do you live?", form)

    Order.objects.update_or_create(
        basket=open_basket(request), defaults={"address": form.save()}
    )
    return redirect("/shipping/")


def shipping(request):
    form = ShippingForm(request.POST or None)
    if not form.is_valid():
        return form_page(request, "How shall it come?", form)

    order = get_object_or_404(Order, basket=request.session.get("basket"))
    order.shipping = form.cleaned_data["method"]
    order.save()
    return redirect("/preview/")


def preview(request):
    """What is about to be bought. Its form leads to the checkout of the order."""
    order = get_object_or_404(Order, basket=request.session.get("basket"))
    return render(request, "store/preview.html", {"order": order})


def open_basket(request):
    basket, is_new = Basket.objects.get_or_create(
        pk=request.session.get("basket"), is_open=True
    )
    if is_new:
        request.session["basket"] = basket.pk
    return basket
