"""A run as one HTML page: reads the records of its stages and needs nothing else."""

from mmwsss.report.write import Figure, ReportOptions, RunReport, write_run_report

__all__ = ['Figure', 'ReportOptions', 'RunReport', 'write_run_report']
