"""The forms of the pages. Django checks what comes in before a view sees it."""

from django import forms

from .models import Address, Product, ShippingMethod, Voucher


class RedeemForm(forms.Form):
    code = forms.CharField()
    email = forms.EmailField()


class AddForm(forms.Form):
    product = forms.ModelChoiceField(Product.objects)
    quantity = forms.IntegerField(min_value=1, initial=1)


class VoucherForm(forms.Form):
    code = forms.ModelChoiceField(Voucher.objects)


class AddressForm(forms.ModelForm):
    class Meta:
        model = Address
        fields = ["name", "email", "street", "city"]


class ShippingForm(forms.Form):
    method = forms.ModelChoiceField(ShippingMethod.objects)
