"""Measurements that experiments of several papers share."""
