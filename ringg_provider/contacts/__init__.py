"""Warehouse rows -> lists that a calling platform accepts, and a reason for every row left out."""
