"""The packaged configurations, installed as `tfdream.configs`."""
